/* A stub of S3, Glacier and QingStor that is much faster than what it measures.
 *
 *     cc -O2 -o stub stub.c -lm && ./stub
 *
 * One thread, one epoll loop, loopback only. Uploads are computed from their
 * index and not stored; what was aborted and what was listed is one bit each.
 * It checks no signatures and knows no faults: correctness is the sandbox's
 * business, speed is this one's.
 *
 * It says "port N" first, then obeys lines on standard input, and ends with it:
 *     set NAME=NUMBER ...   change the world (see `world` below) and begin anew
 *     count                 print the counters as one line of JSON
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;
typedef int64_t i64;

/* ---- the world ------------------------------------------------------- */

enum { SEQUENTIAL, UNIFORM, SKEWED, ONE_KEY };

static struct {
    i64 uploads; /* in each container */
    i64 containers;
    i64 latency;     /* milliseconds before each reply */
    i64 stale_every; /* every k-th upload is ten days old or more; 0: none is */
    i64 parts;       /* of each upload */
    i64 keys;        /* their distribution: 0 sequential, 1 uniform, 2 skewed, 3 one key */
    i64 rate;        /* requests a second beyond which it says SlowDown; 0: none */
    i64 clock;       /* seconds that the Date header is ahead */
} world = {.uploads = 1000, .containers = 1, .stale_every = 1, .parts = 2};

static const struct { const char *name; i64 *value; } SETTINGS[] = {
    {"uploads", &world.uploads}, {"containers", &world.containers}, {"latency", &world.latency},
    {"stale_every", &world.stale_every}, {"parts", &world.parts}, {"keys", &world.keys},
    {"rate", &world.rate}, {"clock", &world.clock},
};

static struct {
    i64 containers, list, parts, head, abort; /* requests by what they asked */
    i64 aborted, gone, refused, other;        /* 204 for one that was there; 404; 503; the rest */
    i64 sent, listed;                         /* entries in listings; different uploads among them */
    i64 connections, in_flight, most_in_flight, bytes;
    i64 first_request; /* the instant of it, in nanoseconds of the monotonic clock */
} count;

static const struct { const char *name; i64 *value; } COUNTERS[] = {
    {"containers", &count.containers}, {"list", &count.list}, {"parts", &count.parts},
    {"head", &count.head}, {"abort", &count.abort}, {"aborted", &count.aborted},
    {"gone", &count.gone}, {"refused", &count.refused}, {"other", &count.other},
    {"sent", &count.sent}, {"listed", &count.listed}, {"connections", &count.connections},
    {"most_in_flight", &count.most_in_flight}, {"bytes", &count.bytes}, {"first_request", &count.first_request},
};
#define LENGTH(array) (sizeof(array) / sizeof *(array))

enum { TENANTS = 1000, AGES = 4096, DAY = 86400, HOUR = 3600 };
static u64 *aborted_bits, *listed_bits;
static time_t started;
static char dates[2][AGES][25]; /* young, old */

static int has(const u64 *bits, i64 n) { return bits[n >> 6] >> (n & 63) & 1; }

static int add(u64 *bits, i64 n) /* whether it is new */
{
    int known = has(bits, n);
    bits[n >> 6] |= 1ull << (n & 63);
    return !known;
}

static void begin_anew(void)
{
    size_t words = world.uploads * world.containers / 64 + 1;
    i64 in_flight = count.in_flight;
    free(aborted_bits);
    free(listed_bits);
    aborted_bits = calloc(words, 8);
    listed_bits = calloc(words, 8);
    memset(&count, 0, sizeof count);
    count.in_flight = in_flight;
}

static void make_dates(void)
{
    started = time(0);
    for (int old = 0; old < 2; old++)
        for (i64 n = 0; n < AGES; n++) {
            i64 age = old ? 10 * DAY + n * (40 * DAY / AGES) : 2 * HOUR + n * (16 * HOUR / AGES);
            time_t moment = started - age;
            struct tm parts;
            gmtime_r(&moment, &parts);
            strftime(dates[old][n], 25, "%Y-%m-%dT%H:%M:%S.000Z", &parts);
        }
}

static const char *date_of(i64 n)
{
    int old = world.stale_every && n % world.stale_every == 0;
    return dates[old][(uint32_t)n * 2654435761u >> 20];
}

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

static size_t digits(char *to, u64 value, int width, int base)
{
    for (int n = width; n-- > 0; value /= base) to[n] = "0123456789abcdef"[value % base];
    to[width] = 0;
    return width;
}

/* ---- keys and ids ---------------------------------------------------- */

enum { LONGEST_KEY = 64 };
static const char FILLER[] = "_Vqk3ZtPz0m9LwYxR7bN1cUa5GsEh8jDfKo2MiXr4BtC6vQeHnSdJpWlAgTyFuOz";

/* Strictly ascending in n, but for one key. */
static size_t key_of(i64 n, char *to)
{
    char *end = to;
    switch (world.keys) {
    case UNIFORM:
        end += digits(end, ~0ull / world.uploads * n + 7919 * n % 104729, 16, 16);
        return stpcpy(end, "/part.bin") - to;
    case SKEWED: /* tenant t begins at the share log(1 + t) / log(1 + TENANTS) */
        end = stpcpy(end, "tenant-");
        end += digits(end, expm1(log1p(TENANTS) * n / world.uploads), 4, 10);
        end = stpcpy(end, "/object-");
        break;
    case ONE_KEY:
        return stpcpy(end, "the/only/key.bin") - to;
    default:
        end = stpcpy(end, "backup/disk-");
    }
    return end + digits(end, n, 12, 10) - to;
}

static i64 first_beyond(const char *key, int or_equal)
{
    char found[LONGEST_KEY];
    i64 low = 0, high = world.uploads;
    while (low < high) {
        i64 middle = (low + high) / 2;
        key_of(middle, found);
        int order = strcmp(found, key);
        if (order < 0 || (order == 0 && !or_equal)) low = middle + 1;
        else high = middle;
    }
    return low;
}

static size_t id_of(i64 container, i64 n, char *to, int length)
{
    digits(to, container, 4, 16);
    digits(to + 4, n, 10, 16);
    memcpy(to + 14, FILLER, length - 14);
    to[length] = 0;
    return length;
}
enum { S3_ID = 78, GLACIER_ID = 78, QINGSTOR_ID = 32 };

static i64 number_in(const char *id, i64 container) /* -1: no such upload ever was */
{
    char head[5] = "", tail[11] = "", *end;
    if (strlen(id) < 14) return -1;
    memcpy(head, id, 4);
    memcpy(tail, id + 4, 10);
    i64 number = strtoll(tail, &end, 16);
    return *end || strtoll(head, 0, 16) != container || number >= world.uploads ? -1 : number;
}

static i64 container_in(const char *name) /* -1: there is none of this name */
{
    const char *dash = strchr(name, '-');
    if (!dash || strlen(dash) != 5) return -1;
    i64 number = atoll(dash + 1);
    return number < world.containers ? number : -1;
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

struct request {
    enum service service;
    const char *method;
    char *path, *query;
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

/* ---- listings -------------------------------------------------------- */

static i64 next_there(i64 container, i64 n) /* the first from n on that was not aborted */
{
    i64 base = container * world.uploads;
    for (; n < world.uploads; n++) {
        i64 bit = base + n;
        if (!(bit & 63) && aborted_bits[bit >> 6] == ~0ull) n += 63;
        else if (!has(aborted_bits, bit)) break;
    }
    return n < world.uploads ? n : world.uploads;
}

static void note_listed(i64 container, i64 n)
{
    count.sent++;
    count.listed += add(listed_bits, container * world.uploads + n);
}

static void put_s3_upload(const char *key, const char *id, i64 n)
{
    PUT(&entries, "<Upload><Key>");
    put(&entries, key, strlen(key));
    PUT(&entries, "</Key><UploadId>");
    put(&entries, id, S3_ID);
    PUT(&entries, "</UploadId><Initiator><ID>arn:aws:iam::111122223333:user/uploader</ID>"
        "<DisplayName>uploader</DisplayName></Initiator><Owner>"
        "<ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID>"
        "<DisplayName>owner</DisplayName></Owner><StorageClass>STANDARD</StorageClass><Initiated>");
    put(&entries, date_of(n), 24);
    PUT(&entries, "</Initiated></Upload>");
}

static void put_qingstor_upload(const char *key, const char *id, i64 n)
{
    if (entries.size) PUT(&entries, ",");
    PUT(&entries, "{\"created\":\"");
    put(&entries, date_of(n), 24);
    PUT(&entries, "\",\"key\":\"");
    put(&entries, key, strlen(key));
    PUT(&entries, "\",\"upload_id\":\"");
    put(&entries, id, QINGSTOR_ID);
    PUT(&entries, "\"}");
}

static i64 first_asked(const struct request *request, i64 container, const char *prefix,
                       char *key, char *id, size_t room)
{
    int s3 = request->service == S3;
    char found[LONGEST_KEY] = "";
    i64 first = 0;
    asked(request, s3 ? "upload-id-marker" : "upload_id_marker", id, room);
    if (asked(request, s3 ? "key-marker" : "key_marker", key, room) && *key) {
        i64 n = *id ? number_in(id, container) : -1;
        if (n >= 0) key_of(n, found);
        first = n >= 0 && !strcmp(found, key) ? n + 1 : first_beyond(key, 0);
    }
    i64 least = *prefix ? first_beyond(prefix, 1) : 0;
    return first > least ? first : least;
}

static void list_keyed(struct connection *to, struct request *request, const char *name, i64 container)
{
    char prefix[1100], marker[1100], id_marker[256], key[LONGEST_KEY], id[128];
    char last_key[LONGEST_KEY] = "", last_id[128] = "";
    int s3 = request->service == S3;
    count.list++;
    if (asked(request, "delimiter", key, sizeof key) && *key) {
        count.other++;
        return refuse(to, request->service, "501 Not Implemented", "NotImplemented");
    }
    asked(request, "prefix", prefix, sizeof prefix);
    i64 limit = limit_of(request, s3 ? "max-uploads" : "limit", s3 ? 1000 : 200, 1000);
    i64 n = first_asked(request, container, prefix, marker, id_marker, sizeof id_marker);
    entries.size = 0;
    i64 taken = 0;
    int more = 0;
    for (n = next_there(container, n); n < world.uploads; n = next_there(container, n + 1)) {
        key_of(n, key);
        if (strncmp(key, prefix, strlen(prefix))) break;
        if ((more = taken == limit)) break;
        taken++;
        id_of(container, n, id, s3 ? S3_ID : QINGSTOR_ID);
        (s3 ? put_s3_upload : put_qingstor_upload)(key, id, n);
        note_listed(container, n);
        strcpy(last_key, key);
        strcpy(last_id, id);
    }
    if (!more) *last_key = *last_id = 0;
    body.size = 0;
    if (s3) {
        say(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<Bucket>%s</Bucket><KeyMarker>%s</KeyMarker><UploadIdMarker>%s</UploadIdMarker>",
            name, marker, id_marker);
        if (more)
            say(&body, "<NextKeyMarker>%s</NextKeyMarker><NextUploadIdMarker>%s</NextUploadIdMarker>",
                last_key, last_id);
        say(&body, "<Prefix>%s</Prefix>%s<MaxUploads>%ld</MaxUploads><IsTruncated>%s</IsTruncated>",
            prefix, strstr(request->query, "encoding-type=url") ? "<EncodingType>url</EncodingType>" : "",
            limit, more ? "true" : "false");
        put(&body, entries.at, entries.size);
        PUT(&body, "</ListMultipartUploadsResult>");
    } else {
        say(&body, "{\"name\":\"%s\",\"prefix\":\"%s\",\"delimiter\":\"\",\"limit\":%ld,\"marker\":\"%s\","
            "\"next_key_marker\":\"%s\",\"next_upload_id_marker\":\"%s\",\"has_more\":%s,"
            "\"common_prefixes\":[],\"uploads\":[", name, prefix, limit, marker, last_key, last_id,
            more ? "true" : "false");
        put(&body, entries.at, entries.size);
        PUT(&body, "]}");
    }
    reply(to, "200 OK", s3 ? "xml" : "json");
}

static void say_vault_upload(struct text *text, const char *vault, i64 container, i64 n)
{
    char id[128];
    id_of(container, n, id, GLACIER_ID);
    say(text, "\"MultipartUploadId\":\"%s\",\"ArchiveDescription\":\"archive %ld\","
        "\"CreationDate\":\"%s\",\"PartSizeInBytes\":4194304,"
        "\"VaultARN\":\"arn:aws:glacier:us-east-1:111122223333:vaults/%s\"", id, n, date_of(n), vault);
}

static void list_vault(struct connection *to, struct request *request, const char *vault, i64 container)
{
    char marker[256], next[128] = "null";
    i64 n = 0, taken = 0, limit = limit_of(request, "limit", 50, 50);
    count.list++;
    if (asked(request, "marker", marker, sizeof marker)) n = number_in(marker, container);
    if (n < 0) return refuse(to, GLACIER, "400 Bad Request", "InvalidParameterValueException");
    body.size = 0;
    PUT(&body, "{\"UploadsList\":[");
    for (n = next_there(container, n); n < world.uploads; n = next_there(container, n + 1)) {
        if (taken++ == limit) {
            id_of(container, n, next + 1, GLACIER_ID);
            *next = '"';
            strcat(next, "\"");
            break;
        }
        say(&body, taken > 1 ? ",{" : "{");
        say_vault_upload(&body, vault, container, n);
        PUT(&body, "}");
        note_listed(container, n);
    }
    say(&body, "],\"Marker\":%s}", next);
    reply(to, "200 OK", "json");
}

static void list_containers(struct connection *to, struct request *request)
{
    char value[64];
    enum service service = request->service;
    i64 n = 0, end = world.containers, most = service == GLACIER ? 10 : service == QINGSTOR ? 200 : 10000;
    count.containers++;
    if (service == GLACIER && asked(request, "marker", value, sizeof value)) n = container_in(value);
    if (service == QINGSTOR && asked(request, "offset", value, sizeof value)) n = atoll(value);
    if (end > n + most) end = n + most;
    body.size = 0;
    if (service == S3)
        PUT(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>owner</ID></Owner><Buckets>");
    else
        say(&body, service == GLACIER ? "{\"VaultList\":[" : "{\"buckets\":[");
    for (i64 first = n; n < end; n++) {
        const char *comma = n > first ? "," : "";
        if (service == S3)
            say(&body, "<Bucket><Name>bucket-%04ld</Name>"
                "<CreationDate>2020-01-01T00:00:00.000Z</CreationDate></Bucket>", n);
        else if (service == GLACIER)
            say(&body, "%s{\"CreationDate\":\"2020-01-01T00:00:00.000Z\",\"LastInventoryDate\":null,"
                "\"NumberOfArchives\":1,\"SizeInBytes\":1,\"VaultName\":\"vault-%04ld\",\"VaultARN\":"
                "\"arn:aws:glacier:us-east-1:111122223333:vaults/vault-%04ld\"}", comma, n, n);
        else
            say(&body, "%s{\"name\":\"bucket-%04ld\",\"location\":\"pek3a\",\"url\":\"\","
                "\"created\":\"2020-01-01T00:00:00Z\"}", comma, n);
    }
    if (service == S3)
        PUT(&body, "</Buckets></ListAllMyBucketsResult>");
    else if (service == QINGSTOR)
        say(&body, "],\"count\":%ld}", world.containers);
    else if (n < world.containers)
        say(&body, "],\"Marker\":\"vault-%04ld\"}", n);
    else
        PUT(&body, "],\"Marker\":null}");
    reply(to, "200 OK", service == S3 ? "xml" : "json");
}

/* ---- single uploads -------------------------------------------------- */

static void list_parts(struct connection *to, struct request *request, const char *name, const char *key,
                       const char *id, i64 container, i64 n)
{
    char marker[32];
    count.parts++;
    if (n < 0 || has(aborted_bits, container * world.uploads + n))
        return refuse_upload(to, request->service);
    body.size = 0;
    switch (request->service) {
    case S3:
        say(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<ListPartsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>%s</Bucket>"
            "<Key>%s</Key><UploadId>%s</UploadId><PartNumberMarker>0</PartNumberMarker>"
            "<MaxParts>1000</MaxParts><IsTruncated>false</IsTruncated>", name, key, id);
        for (i64 part = 1; part <= world.parts; part++)
            say(&body, "<Part><PartNumber>%ld</PartNumber><LastModified>%s</LastModified>"
                "<ETag>&quot;7778aef83f66abc1fa1e8477f296d394&quot;</ETag><Size>8388608</Size></Part>",
                part, date_of(n));
        PUT(&body, "</ListPartsResult>");
        break;
    case GLACIER:
        PUT(&body, "{");
        say_vault_upload(&body, name, container, n);
        PUT(&body, ",\"Marker\":null,\"Parts\":[");
        for (i64 part = 0; part < world.parts; part++)
            say(&body, "%s{\"RangeInBytes\":\"%ld-%ld\",\"SHA256TreeHash\":\"%064ld\"}", part ? "," : "",
                part * 4194304, part * 4194304 + 4194303, part);
        PUT(&body, "]}");
        break;
    case QINGSTOR: /* a page of all, and after it an empty one */
        PUT(&body, "{\"object_parts\":[");
        i64 left = asked(request, "part_number_marker", marker, sizeof marker) ? 0 : world.parts;
        for (i64 part = 0; part < left; part++)
            say(&body, "%s{\"part_number\":%ld,\"size\":8388608,\"created\":\"%s\","
                "\"etag\":\"7778aef83f66abc1fa1e8477f296d394\"}", part ? "," : "", part, date_of(n));
        say(&body, "],\"count\":%ld}", left);
    }
    reply(to, "200 OK", request->service == S3 ? "xml" : "json");
}

static void abort_upload(struct connection *to, enum service service, i64 container, i64 n)
{
    count.abort++;
    int was_there = n >= 0 && add(aborted_bits, container * world.uploads + n);
    count.aborted += was_there;
    if (!was_there && service != QINGSTOR) return refuse_upload(to, service);
    body.size = 0;
    reply(to, "204 No Content", 0);
}

/* ---- routes ---------------------------------------------------------- */

static void answer_other(struct connection *to, struct request *request)
{
    char value[8];
    count.other++;
    body.size = 0;
    if (asked(request, "location", value, sizeof value))
        PUT(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>");
    reply(to, "200 OK", request->service == S3 ? "xml" : "json");
}

static void answer_vaults(struct connection *to, struct request *request)
{
    char *name = strstr(request->path, "/vaults") + 7;
    if (!*name) return list_containers(to, request);
    char *rest = strchrnul(++name, '/');
    if (*rest) *rest++ = 0;
    i64 container = container_in(name);
    if (container < 0) return refuse(to, GLACIER, "404 Not Found", "ResourceNotFoundException");
    if (!strcmp(rest, "multipart-uploads")) return list_vault(to, request, name, container);
    if (strncmp(rest, "multipart-uploads/", 18)) return answer_other(to, request);
    i64 n = number_in(rest + 18, container);
    if (*request->method == 'D') return abort_upload(to, GLACIER, container, n);
    list_parts(to, request, name, "", rest + 18, container, n);
}

static void answer_key(struct connection *to, struct request *request, const char *name, const char *key,
                       i64 container)
{
    char id[256], expected[LONGEST_KEY];
    const char *id_name = request->service == S3 ? "uploadId" : "upload_id";
    if (!asked(request, id_name, id, sizeof id) || !*id) {
        count.head += *request->method == 'H';
        count.other += *request->method != 'H';
        body.size = 0;
        return reply(to, "404 Not Found", "xml");
    }
    i64 n = number_in(id, container);
    if (n >= 0) key_of(n, expected);
    if (n >= 0 && strcmp(key, expected)) n = -1;
    if (*request->method == 'D') return abort_upload(to, request->service, container, n);
    list_parts(to, request, name, key, id, container, n);
}

static int beyond_the_rate(void)
{
    static double tokens;
    static struct timespec last;
    struct timespec now;
    if (!world.rate) return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    tokens += world.rate * (now.tv_sec - last.tv_sec + (now.tv_nsec - last.tv_nsec) / 1e9);
    if (tokens > world.rate / 10.0) tokens = world.rate / 10.0;
    last = now;
    return tokens < 1 || tokens-- < 1;
}

static void answer(struct connection *to, struct request *request)
{
    char value[8];
    decode(request->path);
    char *vaults = strstr(request->path, "/vaults");
    if (vaults && (vaults[7] == 0 || vaults[7] == '/') && strchr(request->path + 1, '/') == vaults)
        request->service = GLACIER;
    if (beyond_the_rate()) {
        count.refused++;
        return refuse(to, request->service, "503 Slow Down", "SlowDown");
    }
    if (request->service == GLACIER) return answer_vaults(to, request);
    char *name = request->path + 1, *key = strchrnul(name, '/');
    if (!*name) return list_containers(to, request);
    if (*key) *key++ = 0;
    i64 container = container_in(name);
    if (container < 0)
        return refuse(to, request->service, "404 Not Found",
                      request->service == S3 ? "NoSuchBucket" : "bucket_not_exists");
    if (*key) return answer_key(to, request, name, key, container);
    if (asked(request, "uploads", value, sizeof value)) return list_keyed(to, request, name, container);
    answer_other(to, request);
}

/* ---- the loop -------------------------------------------------------- */

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
        struct request request = {.method = one->in, .query = ""};
        if (strcasestr(one->in, "\r\nauthorization: qs ")) request.service = QINGSTOR;
        if (strcasestr(one->in, "\r\nconnection: close")) one->last = 1;
        char *length = strcasestr(one->in, "\r\ncontent-length:");
        char *path = strchr(one->in, ' '), *space = path ? strchr(path + 1, ' ') : 0;
        if (!space || (length && atol(length + 17))) return hang_up(one); /* nothing here has a body */
        *path++ = *space = 0;
        if (!strncmp(path, "http://", 7)) path = strchrnul(path + 7, '/'); /* asked as a proxy */
        request.path = path;
        char *mark = strchrnul(path, '?');
        if (*mark) *mark = 0, request.query = mark + 1;
        if (!count.first_request) count.first_request = now_in_ns();
        count.in_flight++;
        if (count.in_flight > count.most_in_flight) count.most_in_flight = count.in_flight;
        answer(one, &request);
        one->received -= end + 4 - one->in;
        memmove(one->in, end + 4, one->received);
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
