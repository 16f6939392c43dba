/* Requests and replies as the stub reads and writes them. */
#pragma once
#include "stub_world.h"

/* ---- texts ----------------------------------------------------------- */

struct text { char *at; size_t size, room; };
#define PUT(text, literal) put(text, literal, sizeof(literal) - 1)

static char *reserve(struct text *text, size_t size)
{
    if (text->room - text->size < size) {
        text->room = (text->size + size) * 2;
        text->at = realloc(text->at, text->room);
    }
    return text->at + text->size;
}

static void put(struct text *text, const char *what, size_t size)
{
    memcpy(reserve(text, size), what, size);
    text->size += size;
}

static void say(struct text *text, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    text->size += vsnprintf(reserve(text, 4096), 4096, format, values);
    va_end(values);
}

/* ---- connections and replies ----------------------------------------- */

enum service { S3, GLACIER, QINGSTOR };
enum { LARGEST_REQUEST = 16384 };

struct connection {
    int socket, waiting, last, dead;
    size_t received;
    char in[LARGEST_REQUEST + 1];
    struct text out;
    size_t gone_out;
    u64 due;
    struct connection *next;
};
static struct text body, entries;

static const char *now_as_http(void)
{
    static char text[40];
    static time_t last;
    time_t now = time(0) + world.clock;
    if (now != last) {
        struct tm parts;
        last = now;
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
    }
    return text;
}

static void reply(struct connection *to, const char *status, const char *type)
{
    size_t before = to->out.size;
    say(&to->out, "HTTP/1.1 %s\r\nDate: %s\r\nServer: stub\r\nx-amz-request-id: 656C76696E6727\r\n",
        status, now_as_http());
    if (type)
        say(&to->out, "Content-Type: application/%s\r\nContent-Length: %zu\r\n\r\n", type, body.size);
    else
        PUT(&to->out, "\r\n");
    put(&to->out, body.at, body.size);
    count.bytes += to->out.size - before;
}

static void refuse(struct connection *to, enum service service, const char *status, const char *code)
{
    body.size = 0;
    if (service == S3)
        say(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
            "<Message>%s</Message><RequestId>656C76696E6727</RequestId></Error>", code, code);
    else
        say(&body, "{\"code\":\"%s\",\"message\":\"%s\",\"type\":\"Client\"}", code, code);
    reply(to, status, service == S3 ? "xml" : "json");
}

static void refuse_upload(struct connection *to, enum service service)
{
    static const char *const CODES[] = {"NoSuchUpload", "ResourceNotFoundException", "upload_not_exists"};
    count.gone++;
    refuse(to, service, "404 Not Found", CODES[service]);
}

/* ---- what was asked -------------------------------------------------- */

/* What the key of an assumed role begins with; the number of its account follows. */
#define ROLE_KEY "ASIAROLE"

struct request {
    enum service service;
    const char *method;
    char *path, *query;
    const char *body;
    i64 account; /* whose role it is; -1: none's */
};

static void decode(char *text)
{
    char *to = text;
    for (; *text; text++) {
        char pair[3] = {0};
        if (*text == '%' && text[1] && text[2]) {
            memcpy(pair, text + 1, 2);
            *to++ = strtol(pair, 0, 16);
            text += 2;
        } else
            *to++ = *text == '+' ? ' ' : *text;
    }
    *to = 0;
}

/* Whether the query has it; its value, decoded, or "". */
static int asked(const struct request *request, const char *name, char *value, size_t room)
{
    size_t length = strlen(name);
    *value = 0;
    for (const char *at = request->query; *at;) {
        const char *end = strchrnul(at, '&');
        if (!strncmp(at, name, length) && strchr("=&", at[length])) {
            size_t size = at[length] == '=' ? end - at - length - 1 : 0;
            if (size >= room) size = room - 1;
            memcpy(value, at + length + (at[length] == '='), size);
            value[size] = 0;
            decode(value);
            return 1;
        }
        at = *end ? end + 1 : end;
    }
    return 0;
}

static i64 limit_of(const struct request *request, const char *name, i64 usual, i64 most)
{
    char text[32];
    i64 limit = asked(request, name, text, sizeof text) ? atoll(text) : usual;
    return limit < 1 || limit > most ? most : limit;
}
