
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * Connections: one request at a time, kept open in between.
 */


#include <cmpload.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>


#define LOAD_CONN_BUFFER  4096
#define LOAD_FILE_BUFFER  65536


static int load_conn_socket(load_t *load, load_conn_t *c);
static void load_conn_connect(load_t *load, load_conn_t *c);
static void load_conn_open(load_t *load, load_conn_t *c);
static void load_conn_connected(load_t *load, load_conn_t *c);
static void load_conn_write(load_t *load, load_conn_t *c);
static void load_conn_read(load_t *load, load_conn_t *c);
static int load_conn_parse(load_t *load, load_conn_t *c);
static int load_conn_part(load_t *load, load_conn_t *c,
    const load_http_t *http);
static int load_conn_complete(load_t *load, load_conn_t *c,
    const load_http_t *http);
static void load_conn_lost(load_t *load, load_conn_t *c, int kind,
    const char *text);
static void load_conn_poll(load_t *load, load_conn_t *c, int op, int writing);
static void load_conn_deadline(load_t *load, load_conn_t *c);


/* one after the other, so that the measurement begins with all of them */

void
load_conns_open(load_t *load)
{
    long          i;
    load_conn_t  *c;

    load->conns = load_alloc(load->conf->connections * sizeof(load_conn_t));

    for (i = 0; i < load->conf->connections; i++) {
        c = &load->conns[i];
        c->fd = -1;
        c->in_size = (load->op->protocol == LOAD_FETCH) ? LOAD_FILE_BUFFER
                                                        : LOAD_CONN_BUFFER;
        c->in = load_alloc(c->in_size);

        load_conn_open(load, c);
    }
}


void
load_conns_close(load_t *load)
{
    long  i;

    for (i = 0; i < load->conf->connections; i++) {
        load_conn_close(&load->conns[i]);
        free(load->conns[i].in);
    }

    free(load->conns);
}


static void
load_conn_open(load_t *load, load_conn_t *c)
{
    int            err, n;
    socklen_t      len;
    struct pollfd  pfd;

    err = load_conn_socket(load, c);

    if (err == EINPROGRESS) {
        pfd.fd = c->fd;
        pfd.events = POLLOUT;

        n = poll(&pfd, 1, (int) (load->conf->request_timeout * 1000));

        err = (n == 0) ? ETIMEDOUT : errno;
        len = sizeof(err);

        if (n == 1) {
            (void) getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
        }
    }

    if (err != 0) {
        load_fatal("cannot connect to %s: %s", load->conf->host,
                   strerror(err));
    }

    c->state = LOAD_CONN_IDLE;
    load_conn_poll(load, c, EPOLL_CTL_ADD, 0);
}


/* 0, EINPROGRESS or another errno */

static int
load_conn_socket(load_t *load, load_conn_t *c)
{
    int  on;

    c->fd = socket(load->conf->addr.ss_family,
                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd == -1) {
        load_fatal("socket(): %s", strerror(errno));
    }

    on = 1;
    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    if (connect(c->fd, (struct sockaddr *) &load->conf->addr,
                load->conf->addr_len)
        == 0)
    {
        return 0;
    }

    return errno;
}


static void
load_conn_connect(load_t *load, load_conn_t *c)
{
    int  err;

    load->stat.reconnects++;
    load_conn_deadline(load, c);

    err = load_conn_socket(load, c);

    if (err != 0 && err != EINPROGRESS) {
        load_conn_lost(load, c, LOAD_CONNECT, strerror(err));
        return;
    }

    c->state = LOAD_CONN_CONNECTING;
    load_conn_poll(load, c, EPOLL_CTL_ADD, 1);
}


void
load_conn_close(load_conn_t *c)
{
    if (c->fd != -1) {
        (void) close(c->fd);
    }

    c->fd = -1;
    c->state = LOAD_CONN_CLOSED;
    c->in_len = 0;
    c->writing = 0;
}


/* an idle connection that the server closed in a pause is closed here too */

void
load_conn_refresh(load_conn_t *c)
{
    char  octet;

    if (c->state == LOAD_CONN_IDLE
        && recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) != -1)
    {
        load_conn_close(c);
    }
}


void
load_conns_expire(load_t *load, uint64_t now)
{
    long          i;
    load_conn_t  *c;

    for (i = 0; i < load->conf->connections; i++) {
        c = &load->conns[i];

        if (c->deadline > now) {
            continue;
        }

        if (c->state == LOAD_CONN_CONNECTING) {
            load_conn_lost(load, c, LOAD_CONNECT, "connecting timed out");

        } else if (c->state == LOAD_CONN_BUSY) {
            load_conn_lost(load, c, LOAD_TIMEOUT, "no answer in time");
        }
    }
}


void
load_conn_send(load_t *load, load_conn_t *c)
{
    c->sent = 0;
    c->in_len = 0;
    c->seen = 0;
    c->differs = 0;

    if (c->state == LOAD_CONN_CLOSED) {
        load_conn_connect(load, c);
        return;
    }

    c->state = LOAD_CONN_BUSY;
    load_conn_deadline(load, c);
    load_conn_write(load, c);
}


void
load_conn_event(load_t *load, load_conn_t *c, uint32_t events)
{
    switch (c->state) {

    case LOAD_CONN_CONNECTING:
        load_conn_connected(load, c);
        break;

    case LOAD_CONN_IDLE:

        /* nothing is to come: the server closes */

        load_conn_close(c);
        break;

    case LOAD_CONN_BUSY:
        if ((events & EPOLLOUT) != 0 && c->writing) {
            load_conn_write(load, c);
        }

        if (c->state == LOAD_CONN_BUSY && (events & ~EPOLLOUT) != 0) {
            load_conn_read(load, c);
        }

        break;

    default:
        break;
    }
}


static void
load_conn_connected(load_t *load, load_conn_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(err);
    (void) getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);

    if (err != 0) {
        load_conn_lost(load, c, LOAD_CONNECT, strerror(err));
        return;
    }

    c->state = LOAD_CONN_IDLE;
    load_conn_send(load, c);
}


static void
load_conn_write(load_t *load, load_conn_t *c)
{
    ssize_t     n;
    cmp_str_t  *request;

    request = &c->task->request;

    while (c->sent < request->len) {
        n = send(c->fd, request->data + c->sent, request->len - c->sent,
                 MSG_NOSIGNAL);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1 && errno == EAGAIN) {
            break;
        }

        if (n == -1) {
            load_conn_lost(load, c, LOAD_CLOSED, strerror(errno));
            return;
        }

        c->sent += n;
        load->stat.sent += n;
    }

    if (c->writing != (c->sent < request->len)) {
        load_conn_poll(load, c, EPOLL_CTL_MOD, !c->writing);
    }
}


static void
load_conn_read(load_t *load, load_conn_t *c)
{
    ssize_t         n;
    unsigned char  *p;

    for ( ;; ) {
        if (c->in_len == c->in_size) {
            p = realloc(c->in, c->in_size * 2);
            if (p == NULL) {
                load_fatal("out of memory");
            }

            c->in = p;
            c->in_size *= 2;
        }

        n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len, 0);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1 && errno == EAGAIN) {
            return;
        }

        if (n <= 0) {
            load_conn_lost(load, c, LOAD_CLOSED,
                           (n == 0) ? "closed before the answer was complete"
                                    : strerror(errno));
            return;
        }

        c->in_len += n;
        load->stat.received += n;

        if (load_conn_parse(load, c) != 0) {
            return;
        }
    }
}


/* 1: the answer is complete, or wrong, and done with */

static int
load_conn_parse(load_t *load, load_conn_t *c)
{
    long          n;
    const char   *err;
    load_http_t   http;

    load_http_init(&http, load->op->protocol);

    n = load_http_parse(c->in, c->in_len, &http, &err);

    if (n == -1) {
        load_conn_lost(load, c, LOAD_HTTP, err);
        return 1;
    }

    if (load->body.data != NULL && http.header_len != 0
        && http.status == 200)
    {
        return load_conn_part(load, c, &http);
    }

    if (n == 0) {
        return 0;
    }

    if ((size_t) n != c->in_len) {
        load_conn_lost(load, c, LOAD_HTTP, "more than an answer");
        return 1;
    }

    return load_conn_complete(load, c, &http);
}


/* a file is compared while it comes, and not kept */

static int
load_conn_part(load_t *load, load_conn_t *c, const load_http_t *http)
{
    size_t  len;

    len = c->in_len - http->header_len;

    if (len > http->body_len - c->seen) {
        load_conn_lost(load, c, LOAD_HTTP, "more than an answer");
        return 1;
    }

    load_fetch_part(load, c, c->in + http->header_len, len);

    c->seen += len;
    c->in_len = http->header_len;

    return (c->seen < http->body_len) ? 0 : load_conn_complete(load, c, http);
}


static int
load_conn_complete(load_t *load, load_conn_t *c, const load_http_t *http)
{
    if (c->sent != c->task->request.len) {
        load_conn_lost(load, c, LOAD_HTTP, "an answer too early");
        return 1;
    }

    if (http->close) {
        load_conn_close(c);

    } else {
        c->state = LOAD_CONN_IDLE;
    }

    load_conn_answer(load, c, http->status, c->in + http->header_len,
                     http->body_len);

    return 1;
}


static void
load_conn_lost(load_t *load, load_conn_t *c, int kind, const char *text)
{
    load_conn_close(c);
    load_conn_failed(load, c, kind, text);
}


static void
load_conn_poll(load_t *load, load_conn_t *c, int op, int writing)
{
    struct epoll_event  ee;

    memset(&ee, 0, sizeof(struct epoll_event));
    ee.data.ptr = c;
    ee.events = writing ? EPOLLIN | EPOLLRDHUP | EPOLLOUT
                        : EPOLLIN | EPOLLRDHUP;

    if (epoll_ctl(load->epoll, op, c->fd, &ee) == -1) {
        load_fatal("epoll_ctl(): %s", strerror(errno));
    }

    c->writing = (writing != 0);
}


static void
load_conn_deadline(load_t *load, load_conn_t *c)
{
    c->deadline = load_now() + (uint64_t) (load->conf->request_timeout * 1e9);
}
