/* A stub of S3, Glacier and QingStor that is much faster than what it measures.
 *
 *     cc -O2 -o stub stub.c -lm && ./stub
 *
 * One thread, one epoll loop, loopback only. Uploads are computed from their
 * index and not stored; what was aborted and what was listed is one bit each.
 * It checks no signatures and knows no faults: correctness is the sandbox's
 * business, speed is this one's. Its STS lets any role be assumed; whoever does
 * sees one bucket, that of the account's number.
 *
 * It says "port N" first, then obeys lines on standard input, and ends with it:
 *     set NAME=NUMBER ...   change the world (see stub_world.h) and begin anew
 *     count                 print the counters as one line of JSON
 */
#include "stub_services.h"

static int poller;
static struct connection *first_due, *last_due; /* every reply waits equally long: a queue */
static struct connection *spare;

static u64 now_in_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void set_aside(struct connection *one) /* for the next that comes */
{
    one->next = spare;
    spare = one;
}

static void watch(struct connection *one, uint32_t events, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = one};
    epoll_ctl(poller, how, one->socket, &event);
}

static void hang_up(struct connection *one)
{
    if (one->dead) return;
    close(one->socket);
    one->dead = 1;
    if (!one->waiting) set_aside(one);
}

static void give(struct connection *one)
{
    while (one->gone_out < one->out.size) {
        ssize_t size = send(one->socket, one->out.at + one->gone_out, one->out.size - one->gone_out,
                            MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN) return watch(one, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        if (size < 0) return hang_up(one);
        one->gone_out += size;
    }
    one->out.size = one->gone_out = 0;
    if (one->last) hang_up(one);
}

static void wait_its_turn(struct connection *one)
{
    one->due = now_in_ns() + world.latency * 1000000;
    one->waiting = 1;
    one->next = 0;
    if (first_due) last_due->next = one;
    else first_due = one;
    last_due = one;
}

/* Answer what has wholly come, one request at a time. */
static void work(struct connection *one)
{
    while (!one->dead && !one->waiting && !one->out.size) {
        char *end = one->received ? memmem(one->in, one->received, "\r\n\r\n", 4) : 0;
        if (!end) return;
        end[2] = 0;
        char *length = strcasestr(one->in, "\r\ncontent-length:"), *rest = end + 4;
        if (length) rest += atol(length + 17); /* only STS is asked by a body */
        if (rest < end || rest > one->in + LARGEST_REQUEST) return hang_up(one);
        if (rest > one->in + one->received) {
            end[2] = '\r';
            return;
        }
        struct request request = {.method = one->in, .query = "", .body = end + 4, .account = -1};
        char *key = strstr(one->in, "Credential=" ROLE_KEY);
        if (key) request.account = atoll(key + strlen("Credential=" ROLE_KEY));
        if (strcasestr(one->in, "\r\nauthorization: qs ")) request.service = QINGSTOR;
        if (strcasestr(one->in, "\r\nconnection: close")) one->last = 1;
        char *path = strchr(one->in, ' '), *space = path ? strchr(path + 1, ' ') : 0;
        if (!space) return hang_up(one);
        *path++ = *space = 0;
        if (!strncmp(path, "http://", 7)) path = strchrnul(path + 7, '/'); /* asked as a proxy */
        request.path = path;
        char *mark = strchrnul(path, '?');
        if (*mark) *mark = 0, request.query = mark + 1;
        if (!count.first_request) count.first_request = now_in_ns();
        count.in_flight++;
        if (count.in_flight > count.most_in_flight) count.most_in_flight = count.in_flight;
        char next = *rest;
        *rest = 0; /* behind the body */
        answer(one, &request);
        *rest = next;
        one->received -= rest - one->in;
        memmove(one->in, rest, one->received);
        if (world.latency) return wait_its_turn(one);
        count.in_flight--;
        give(one);
    }
}

static void release_due(void)
{
    u64 now = now_in_ns();
    while (first_due && first_due->due <= now) {
        struct connection *one = first_due;
        first_due = one->next;
        one->waiting = 0;
        count.in_flight--;
        if (one->dead) {
            set_aside(one);
            continue;
        }
        give(one);
        work(one);
    }
}

static void welcome(int listener)
{
    for (int fd, yes = 1; (fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct connection *one = spare ? spare : calloc(1, sizeof *one);
        if (spare) spare = one->next;
        one->received = one->out.size = one->gone_out = one->last = one->dead = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        one->socket = fd;
        watch(one, EPOLLIN, EPOLL_CTL_ADD);
        count.connections++;
    }
}

static void hear(struct connection *one, uint32_t events)
{
    if (one->dead) return;
    if (events & EPOLLOUT) {
        watch(one, EPOLLIN, EPOLL_CTL_MOD);
        if (!one->waiting) give(one);
    }
    if (!one->dead && events & ~EPOLLOUT) {
        ssize_t size = recv(one->socket, one->in + one->received, LARGEST_REQUEST - one->received, 0);
        if (size > 0) one->received += size;
        else if (!size || errno != EAGAIN) hang_up(one);
        one->in[one->received] = 0;
    }
    if (!one->dead) work(one);
}

static void obey(char *line)
{
    char *word = strtok(line, " \n");
    if (word && !strcmp(word, "set")) {
        while ((word = strtok(0, " \n")))
            for (size_t n = 0; n < LENGTH(SETTINGS); n++) {
                size_t length = strlen(SETTINGS[n].name);
                if (!strncmp(word, SETTINGS[n].name, length) && word[length] == '=')
                    *SETTINGS[n].value = atoll(word + length + 1);
            }
        begin_anew();
        puts("done");
    } else {
        for (size_t n = 0; n < LENGTH(COUNTERS); n++)
            printf("%s\"%s\":%ld", n ? "," : "{", COUNTERS[n].name, *COUNTERS[n].value);
        puts("}");
    }
    fflush(stdout);
}

static void listen_to_standard_input(void)
{
    char line[1024];
    ssize_t size = read(0, line, sizeof line - 1);
    if (size <= 0) exit(0);
    line[size] = 0;
    obey(line);
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct epoll_event events[512], event = {.events = EPOLLIN};
    static struct connection control, door; /* only their addresses matter */
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(listener, (void *)&address, size) || listen(listener, 4096)) return perror("stub"), 1;
    getsockname(listener, (void *)&address, &size);
    signal(SIGPIPE, SIG_IGN);
    make_dates();
    begin_anew();
    poller = epoll_create1(EPOLL_CLOEXEC);
    event.data.ptr = &control;
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event);
    event.data.ptr = &door;
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int wait = -1;
        if (first_due) {
            i64 left = first_due->due - now_in_ns();
            wait = left > 0 ? left / 1000000 + 1 : 0;
        }
        int ready = epoll_wait(poller, events, LENGTH(events), wait);
        for (int n = 0; n < ready; n++) {
            if (events[n].data.ptr == &control) listen_to_standard_input();
            else if (events[n].data.ptr == &door) welcome(listener);
            else hear(events[n].data.ptr, events[n].events);
        }
        release_due();
    }
}
