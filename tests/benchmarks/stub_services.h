/* What S3, Glacier and QingStor answer. */
#pragma once
#include "stub_http.h"

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
    if (request->account >= 0) n = request->account % world.containers, end = n + 1;
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

/* STS: the key of a role has the number of its account in it. */
static void answer_sts(struct connection *to, struct request *request)
{
    const char *role = strstr(request->body, "RoleArn=arn%3Aaws%3Aiam%3A%3A");
    i64 account = role ? atoll(role + 29) : request->account < 0 ? 111122223333 : request->account;
    time_t end = time(0) + HOUR;
    char date[25];
    struct tm parts;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &parts));
    count.sts++;
    body.size = 0;
    const char *name = role ? "AssumeRole" : "GetCallerIdentity";
    say(&body, "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><%sResult>", name, name);
    if (role)
        say(&body, "<AssumedRoleUser><AssumedRoleId>AROA:janitor</AssumedRoleId>"
            "<Arn>arn:aws:sts::%012ld:assumed-role/janitor/janitor</Arn></AssumedRoleUser><Credentials>"
            "<AccessKeyId>" ROLE_KEY "%012ld</AccessKeyId><SecretAccessKey>%040ld</SecretAccessKey>"
            "<SessionToken>%0200ld</SessionToken><Expiration>%s</Expiration></Credentials>",
            account, account, account, account, date);
    else
        say(&body, "<Arn>arn:aws:sts::%012ld:assumed-role/janitor/janitor</Arn><UserId>AROA:janitor</UserId>"
            "<Account>%012ld</Account>", account, account);
    say(&body, "</%sResult><ResponseMetadata><RequestId>656C76696E6727</RequestId></ResponseMetadata>"
        "</%sResponse>", name, name);
    reply(to, "200 OK", "xml");
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
    if (*request->method == 'P' && !request->path[1]) return answer_sts(to, request);
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
