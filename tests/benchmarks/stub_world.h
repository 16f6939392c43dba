/* What the stub serves: the world's size, its keys, ids and dates, what was done to it, counters. */
#pragma once
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
    i64 containers, list, parts, head, abort, sts; /* requests by what they asked */
    i64 aborted, gone, refused, other;        /* 204 for one that was there; 404; 503; the rest */
    i64 sent, listed;                         /* entries in listings; different uploads among them */
    i64 connections, in_flight, most_in_flight, bytes;
    i64 first_request; /* the instant of it, in nanoseconds of the monotonic clock */
} count;

static const struct { const char *name; i64 *value; } COUNTERS[] = {
    {"containers", &count.containers}, {"list", &count.list}, {"parts", &count.parts},
    {"head", &count.head}, {"abort", &count.abort}, {"sts", &count.sts},
    {"aborted", &count.aborted}, {"gone", &count.gone}, {"refused", &count.refused}, {"other", &count.other},
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

/* ---- keys and ids ---------------------------------------------------- */

static size_t digits(char *to, u64 value, int width, int base)
{
    for (int n = width; n-- > 0; value /= base) to[n] = "0123456789abcdef"[value % base];
    to[width] = 0;
    return width;
}

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
