
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * A phase: its tasks are made, handed to connections when they are due, and
 * taken through their steps.
 */


#include <cmpload.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>


#define LOAD_EVENTS   256
#define LOAD_TICK     100           /* ms, between looks at the clock */


static void load_phase_begin(load_t *load, const load_op_t *op, long n,
    int measured);
static void load_phase_prepare(load_t *load);
static void load_phase_loop(load_t *load);
static void load_phase_cut(load_t *load, uint64_t now);
static void load_phase_end(load_t *load, double cpu);
static void load_timer_open(load_t *load);
static void load_timer_set(load_t *load);
static void load_dispatch(load_t *load);
static int load_may_start(load_t *load, uint64_t now);
static uint64_t load_due(const load_t *load, long n);
static void load_start(load_t *load, load_conn_t *c, uint64_t now);
static void load_prepare(load_t *load, load_task_t *task);
static void load_idle(load_t *load, load_conn_t *c);
static void load_pause(load_t *load);
static void load_pause_wait(load_t *load);
static void load_finished(load_t *load, load_conn_t *c);
static void load_task_age(load_task_t *task);
static double load_cpu(void);


void
load_phase(load_t *load, const load_op_t *op, long n, int measured)
{
    double  cpu;

    load_phase_begin(load, op, n, measured);
    load_phase_prepare(load);
    load_conns_open(load);

    cpu = load_cpu();
    load->begin = load_now();

    load_phase_loop(load);
    load_phase_end(load, cpu);
}


static void
load_phase_begin(load_t *load, const load_op_t *op, long n, int measured)
{
    load->op = op;
    load->ntasks = n;
    load->next = 0;
    load->done = 0;
    load->running = 0;
    load->paused = 0;
    load->resumed = 0;
    load->stop = 0;
    load->measured = measured;

    load_stat_create(&load->stat, load->ntasks);

    load->idle = load_alloc(load->conf->connections * sizeof(load_conn_t *));
    load->nidle = 0;

    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->epoll == -1) {
        load_fatal("epoll_create1(): %s", strerror(errno));
    }

    load_timer_open(load);
}


static void
load_phase_prepare(load_t *load)
{
    long      i, n;
    uint64_t  begin;

    begin = load_now();

    n = (load->ntasks < load->conf->prepare) ? load->ntasks
                                             : load->conf->prepare;

    load->prepared = load->light ? 0 : n;

    for (i = 0; i < load->prepared; i++) {
        load->tasks[i].number = i;
        load_prepare(load, &load->tasks[i]);

        if (load_now() > load->end) {
            load_fatal("no time is left after the preparation");
        }
    }

    load->stat.prepared = (load_now() - begin) / 1e9;
}


static void
load_phase_loop(load_t *load)
{
    int                  i, n;
    long                 k;
    uint64_t             now, looked, ticks;
    load_conn_t         *c;
    struct epoll_event   events[LOAD_EVENTS];

    for (k = 0; k < load->conf->connections; k++) {
        load_idle(load, &load->conns[k]);
    }

    looked = load->begin;

    for ( ;; ) {
        load_dispatch(load);

        if (load->running == 0 && (load->stop || load->next >= load->ntasks)) {
            return;
        }

        n = epoll_wait(load->epoll, events, LOAD_EVENTS, LOAD_TICK);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c == NULL) {
                (void) !read(load->timer, &ticks, sizeof(ticks));
                continue;
            }

            load_conn_event(load, c, events[i].events);
        }

        now = load_now();

        if (now - looked < LOAD_TICK * 1000000ULL) {
            continue;
        }

        looked = now;
        load_conns_expire(load, now);

        if (now > load->end) {
            load_phase_cut(load, now);
            return;
        }
    }
}


/* what is under way or overdue had no answer in time */

static void
load_phase_cut(load_t *load, uint64_t now)
{
    long  n;

    n = load->running;

    if (load->conf->rate != 0 && load->measured && load->stop == 0) {
        while (load->next < load->ntasks && load_due(load, load->next) <= now) {
            load->next++;
            n++;
        }
    }

    do {
        load_stat_error(&load->stat, LOAD_TIMEOUT, "the time for all is over");
    } while (--n > 0);
}


static void
load_phase_end(load_t *load, double cpu)
{
    long      i, n;
    uint64_t  ns;

    ns = load_now() - load->begin - load->paused;

    load->stat.seconds = ns / 1e9;
    load->stat.cpu = load_cpu() - cpu;

    load_conns_close(load);
    free(load->idle);
    (void) close(load->timer);
    (void) close(load->epoll);

    n = (load->next > load->prepared) ? load->next : load->prepared;

    for (i = 0; load->light == 0 && i < n; i++) {
        if (load->measured) {
            load_task_free(&load->tasks[i]);

        } else {
            load_task_clear(&load->tasks[i]);
            load_task_age(&load->tasks[i]);
        }
    }
}


/* what was enrolled is what the next phase is about */

static void
load_task_age(load_task_t *task)
{
    const unsigned char  *p;

    /* one that waits: its transaction goes on */

    if (task->cert.len == 0) {
        EVP_PKEY_free(task->key);
        task->key = NULL;
        return;
    }

    p = task->cert.data;
    task->old = d2i_X509(NULL, &p, (long) task->cert.len);
    task->old_key = task->key;
    task->key = NULL;

    free(task->cert.data);
    memset(&task->cert, 0, sizeof(cmp_str_t));
    memset(task->recip_nonce, 0, CMP_NONCE_LEN);
}


static void
load_timer_open(load_t *load)
{
    struct epoll_event  ee;

    load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (load->timer == -1) {
        load_fatal("timerfd_create(): %s", strerror(errno));
    }

    memset(&ee, 0, sizeof(struct epoll_event));
    ee.events = EPOLLIN;
    ee.data.ptr = NULL;

    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, load->timer, &ee) == -1) {
        load_fatal("epoll_ctl(): %s", strerror(errno));
    }
}


/* epoll_wait() counts in milliseconds, too coarse for thousands a second */

static void
load_timer_set(load_t *load)
{
    uint64_t           due;
    struct itimerspec  its;

    due = load_due(load, load->next);

    memset(&its, 0, sizeof(struct itimerspec));
    its.it_value.tv_sec = due / 1000000000;
    its.it_value.tv_nsec = due % 1000000000;

    if (timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &its, NULL) == -1) {
        load_fatal("timerfd_settime(): %s", strerror(errno));
    }
}


/* starts what is due, as far as there are connections */

static void
load_dispatch(load_t *load)
{
    uint64_t      now;
    load_conn_t  *c;

    while (load->nidle != 0) {
        now = load_now();

        if (load_may_start(load, now) == 0) {
            break;
        }

        c = load->idle[--load->nidle];
        load_start(load, c, now);
    }

    if (load->nidle == 0 || load->stop || load->next >= load->ntasks) {
        return;
    }

    if (load->conf->rate != 0 && load->measured) {
        load_timer_set(load);

    } else if (load->running == 0) {
        load_pause(load);
    }
}


static int
load_may_start(load_t *load, uint64_t now)
{
    const load_conf_t  *conf;

    conf = load->conf;

    if (load->stop || load->next >= load->ntasks) {
        return 0;
    }

    if (load->measured == 0) {
        return 1;
    }

    if (conf->duration != 0
        && conf->rate == 0
        && now - load->begin - load->paused >= conf->duration * 1e9)
    {
        load->stop = 1;
        return 0;
    }

    if (load->resumed < conf->npauses
        && load->next >= conf->pauses[load->resumed])
    {
        return 0;
    }

    return conf->rate == 0 || load_due(load, load->next) <= now;
}


static uint64_t
load_due(const load_t *load, long n)
{
    return load->begin + (uint64_t) (n * (1e9 / load->conf->rate));
}


static void
load_start(load_t *load, load_conn_t *c, uint64_t now)
{
    load_task_t  *task;

    task = &load->tasks[load->light ? c - load->conns : load->next];
    task->number = load->next;
    task->step = 0;

    if (task->request.data == NULL) {
        load_prepare(load, task);
        now = load_now();
    }

    task->due = (load->conf->rate != 0 && load->measured)
                    ? load_due(load, load->next) : now;
    task->sent = now;

    if (load->conf->rate != 0 && load->measured) {
        load_stat_add(&load->stat.delay, now - task->due);
    }

    load->next++;
    load->running++;

    c->task = task;
    load_conn_send(load, c);
}


static void
load_prepare(load_t *load, load_task_t *task)
{
    switch (load->op->protocol) {

    case LOAD_OCSP:
        load_ocsp_prepare(load, task);
        break;

    case LOAD_FETCH:
        load_fetch_prepare(load, task);
        break;

    default:
        load_task_prepare(load, task);
    }
}


static void
load_idle(load_t *load, load_conn_t *c)
{
    c->task = NULL;
    load->idle[load->nidle++] = c;
}


/* --pause-after: whoever waits for it may now look at an idle server */

static void
load_pause(load_t *load)
{
    long      i;
    uint64_t  begin;

    begin = load_now();

    if (load->nidle != load->conf->connections) {
        return;
    }

    printf("paused\n");
    (void) fflush(stdout);

    load_pause_wait(load);

    for (i = 0; i < load->nidle; i++) {
        load_conn_refresh(load->idle[i]);
    }

    load->resumed++;
    load->paused += load_now() - begin;
}


static void
load_pause_wait(load_t *load)
{
    int            n;
    char           line[256];
    uint64_t       now;
    struct pollfd  pfd;

    pfd.fd = STDIN_FILENO;
    pfd.events = POLLIN;

    for ( ;; ) {
        now = load_now();

        if (now > load->end) {
            load->stop = 1;
            return;
        }

        n = poll(&pfd, 1, LOAD_TICK);

        if (n == 1 && fgets(line, sizeof(line), stdin) == NULL) {
            load->stop = 1;
            return;
        }

        if (n == 1) {
            return;
        }
    }
}


void
load_conn_answer(load_t *load, load_conn_t *c, int status,
    const unsigned char *body, size_t len)
{
    int           rc;
    char          err[256];
    uint64_t      now;
    load_task_t  *task;

    now = load_now();
    task = c->task;

    if (status != 200) {
        (void) snprintf(err, sizeof(err), "HTTP status %d", status);
        load_conn_failed(load, c, LOAD_STATUS, err);
        return;
    }

    switch (load->op->protocol) {

    case LOAD_OCSP:
        rc = load_ocsp_check(load, task, body, len, err, sizeof(err));
        break;

    case LOAD_FETCH:
        rc = load_fetch_check(load, c, body, len, err, sizeof(err));
        break;

    default:
        rc = load_check_answer(load, task, body, len, err, sizeof(err));
    }

    if (rc != LOAD_OK) {
        load_conn_failed(load, c, rc, err);
        return;
    }

    load_stat_add(&load->stat.step[task->step], now - task->sent);

    if (task->step == 0 && load->op->confirm) {
        task->step = 1;
        load_task_confirm(load, task);
        task->sent = load_now();
        load_conn_send(load, c);
        return;
    }

    load_stat_add(&load->stat.operation, now - task->due);
    load->stat.completed++;
    load_finished(load, c);
}


void
load_conn_failed(load_t *load, load_conn_t *c, int kind, const char *text)
{
    load_stat_error(&load->stat, kind, text);

    if (load->stat.nerrors >= load->conf->max_errors) {
        load->stop = 1;
    }

    load_finished(load, c);
}


/* the next task is started by the loop, so that failures do not recurse */

static void
load_finished(load_t *load, load_conn_t *c)
{
    load_task_t  *task;

    task = c->task;

    if (load->measured) {
        load_task_free(task);

    } else {
        load_task_clear(task);
    }

    if (load->conf->reconnect) {
        load_conn_close(c);
    }

    load->running--;
    load->done++;
    load_idle(load, c);
}


static double
load_cpu(void)
{
    struct rusage  ru;

    (void) getrusage(RUSAGE_SELF, &ru);

    return ru.ru_utime.tv_sec + ru.ru_stime.tv_sec
           + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}
