
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Where the load goes: to this machine, unless told otherwise.
 */


#include <cmpload.h>

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>


static void load_url_address(load_conf_t *conf, const char *host,
    const char *port);
static int load_url_is_loopback(const struct sockaddr_storage *addr);


void
load_url_parse(load_conf_t *conf)
{
    char        *copy, *host, *port, *end;
    const char  *authority, *path;

    if (strncmp(conf->url, "http://", 7) != 0) {
        load_fatal("the URL has to begin with http://");
    }

    authority = conf->url + 7;
    path = strchr(authority, '/');

    conf->path = strdup((path != NULL) ? path : "/");
    conf->host = (path != NULL) ? strndup(authority, path - authority)
                                : strdup(authority);
    copy = (conf->host != NULL) ? strdup(conf->host) : NULL;

    if (conf->path == NULL || copy == NULL) {
        load_fatal("out of memory");
    }

    if (strpbrk(conf->url, " \t\r\n") != NULL) {
        load_fatal("the URL has white space in it");
    }

    host = copy;
    end = host;

    if (*host == '[') {
        host++;
        end = strchr(host, ']');

        if (end == NULL) {
            load_fatal("no \"]\" in the URL");
        }

        *end++ = '\0';
    }

    port = strchr(end, ':');
    if (port != NULL) {
        *port++ = '\0';
    }

    load_url_address(conf, host, (port != NULL) ? port : "80");

    free(copy);
}


static void
load_url_address(load_conf_t *conf, const char *host, const char *port)
{
    int               rc;
    struct addrinfo   hints, *res;

    memset(&hints, 0, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;

    if (strcmp(host, "localhost") == 0) {
        host = "127.0.0.1";
    }

    if (conf->remote == 0) {
        hints.ai_flags |= AI_NUMERICHOST;
    }

    rc = getaddrinfo(host, port, &hints, &res);

    if (rc != 0) {
        load_fatal("\"%s\": %s%s", host, gai_strerror(rc),
                   (conf->remote == 0) ? " (a name needs --remote)" : "");
    }

    memcpy(&conf->addr, res->ai_addr, res->ai_addrlen);
    conf->addr_len = res->ai_addrlen;
    freeaddrinfo(res);

    if (conf->remote == 0 && load_url_is_loopback(&conf->addr) == 0) {
        load_fatal("\"%s\" is another machine: load on it needs --remote",
                   host);
    }
}


static int
load_url_is_loopback(const struct sockaddr_storage *addr)
{
    const struct sockaddr_in   *sin;
    const struct sockaddr_in6  *sin6;

    if (addr->ss_family == AF_INET) {
        sin = (const struct sockaddr_in *) addr;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;
    }

    if (addr->ss_family == AF_INET6) {
        sin6 = (const struct sockaddr_in6 *) addr;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr) != 0;
    }

    return 0;
}
