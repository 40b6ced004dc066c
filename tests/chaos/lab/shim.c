/* A library to preload: it skews the wall clock of a process and makes its file operations fail.
 * All of it is steered while the process runs through one small mapped file, named by CHAOS_CTL.
 * Monotonic clocks are left alone. shim.py compiles it and writes the file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OP_WRITE = 1, OP_FSYNC = 2, OP_RENAME = 4, OP_UNLINK = 8, OP_OPEN = 16, OP_TRUNC = 32, OP_MKDIR = 64, OP_READ = 128, OP_LINK = 256 };
enum { ACT_COUNT = 0, ACT_ERRNO = 1, ACT_KILL = 2, ACT_DELAY = 3, ACT_SHORT = 4, ACT_SHORT_KILL = 5, ACT_LIE = 6 };
#define NRULES 8
struct rule {                 /* 128 bytes */
    uint32_t on, ops, act, err, skip, count, delay_us, ppm;
    uint64_t seen, fired;
    char path[80];
};
struct ctl {
    uint64_t magic;
    int64_t off_ns;           /* shown = base + (real-base)*rate + off */
    double rate;
    int64_t base_ns;
    uint64_t pad[4];
    struct rule r[NRULES];
};
static struct ctl *C;
static __thread int busy;

#define REAL(ret, name, ...) static ret (*real_##name)(__VA_ARGS__)
REAL(int, clock_gettime, clockid_t, struct timespec *);
REAL(int, gettimeofday, struct timeval *, void *);
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, pwrite64, int, const void *, size_t, off_t);
REAL(ssize_t, writev, int, const struct iovec *, int);
REAL(ssize_t, read, int, void *, size_t);
REAL(ssize_t, pread64, int, void *, size_t, off_t);
REAL(int, fsync, int);
REAL(int, fdatasync, int);
REAL(int, rename, const char *, const char *);
REAL(int, renameat, int, const char *, int, const char *);
REAL(int, renameat2, int, const char *, int, const char *, unsigned);
REAL(int, link, const char *, const char *);
REAL(int, linkat, int, const char *, int, const char *, int);
REAL(int, unlink, const char *);
REAL(int, unlinkat, int, const char *, int);
REAL(int, ftruncate64, int, off_t);
REAL(int, mkdir, const char *, mode_t);
REAL(int, open64, const char *, int, ...);
REAL(int, openat64, int, const char *, int, ...);
REAL(ssize_t, sendfile64, int, int, off_t *, size_t);
REAL(ssize_t, copy_file_range, int, off_t *, int, off_t *, size_t, unsigned);

#define GET(n) do { if (!real_##n) real_##n = dlsym(RTLD_NEXT, #n); } while (0)

__attribute__((constructor)) static void init(void) {
    const char *p = getenv("CHAOS_CTL");
    GET(clock_gettime); GET(gettimeofday); GET(write); GET(pwrite64); GET(writev); GET(read); GET(pread64);
    GET(fsync); GET(fdatasync); GET(rename); GET(renameat); GET(renameat2); GET(link); GET(linkat); GET(unlink);
    GET(unlinkat); GET(ftruncate64); GET(mkdir); GET(open64); GET(openat64); GET(sendfile64); GET(copy_file_range);
    if (!p) return;
    int fd = real_open64(p, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (m != MAP_FAILED && ((struct ctl *)m)->magic == 0x43484153484d31ULL) C = m;
}

/* ---- clock ---- */
static void skew(struct timespec *t) {
    if (!C || (C->off_ns == 0 && C->rate == 1.0)) return;
    int64_t ns = (int64_t)t->tv_sec * 1000000000LL + t->tv_nsec;
    ns = C->base_ns + (int64_t)((double)(ns - C->base_ns) * C->rate) + C->off_ns;
    t->tv_sec = ns / 1000000000LL; t->tv_nsec = ns % 1000000000LL;
}
int clock_gettime(clockid_t id, struct timespec *t) {
    GET(clock_gettime);
    int r = real_clock_gettime(id, t);
    if (!r && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI)) skew(t);
    return r;
}
int gettimeofday(struct timeval *tv, void *tz) {
    GET(gettimeofday);
    int r = real_gettimeofday(tv, tz);
    if (!r && tv) { struct timespec t = { tv->tv_sec, tv->tv_usec * 1000 }; skew(&t); tv->tv_sec = t.tv_sec; tv->tv_usec = t.tv_nsec / 1000; }
    return r;
}
time_t time(time_t *o) {
    struct timespec t; clock_gettime(CLOCK_REALTIME, &t);
    if (o) *o = t.tv_sec;
    return t.tv_sec;
}

/* ---- faults ---- */
static int fdpath(int fd, char *buf, size_t n) {
    char l[40]; snprintf(l, sizeof l, "/proc/self/fd/%d", fd);
    ssize_t k = readlink(l, buf, n - 1);
    if (k <= 0) return 0;
    buf[k] = 0; return 1;
}
static int wanted(unsigned op) {
    if (!C || busy) return 0;
    for (int i = 0; i < NRULES; i++) if (C->r[i].on && (C->r[i].ops & op)) return 1;
    return 0;
}
/* returns the rule that fires, or NULL */
static struct rule *hit(unsigned op, const char *path) {
    for (int i = 0; i < NRULES; i++) {
        struct rule *r = &C->r[i];
        if (!r->on || !(r->ops & op) || (r->path[0] && !strstr(path, r->path))) continue;
        uint64_t n = __sync_add_and_fetch(&r->seen, 1);
        if (r->act == ACT_COUNT || n <= r->skip) continue;
        if (r->count && n > (uint64_t)r->skip + r->count) continue;
        if (r->ppm) {
            struct timespec t; real_clock_gettime(CLOCK_MONOTONIC, &t);
            uint64_t x = (uint64_t)t.tv_nsec * 6364136223846793005ULL + n * 1442695040888963407ULL;
            if ((x >> 33) % 1000000 >= r->ppm) continue;
        }
        __sync_add_and_fetch(&r->fired, 1);
        if (r->act == ACT_DELAY) { usleep(r->delay_us); continue; }
        if (r->act == ACT_KILL) { kill(getpid(), SIGKILL); for (;;) pause(); }
        return r;
    }
    return 0;
}
static struct rule *hitfd(unsigned op, int fd) {
    char p[512];
    if (!wanted(op)) return 0;
    busy++;
    struct rule *r = fdpath(fd, p, sizeof p) && p[0] == '/' ? hit(op, p) : 0;
    busy--;
    return r;
}
static struct rule *hitpath(unsigned op, int dfd, const char *path) {
    char p[1024];
    if (!wanted(op) || !path) return 0;
    busy++;
    p[0] = 0;
    if (path[0] != '/' && dfd != AT_FDCWD) { if (!fdpath(dfd, p, 500)) p[0] = 0; strcat(p, "/"); }
    else if (path[0] != '/') { if (!getcwd(p, 500)) p[0] = 0; strcat(p, "/"); }
    strncat(p, path, 500);
    struct rule *r = hit(op, p);
    busy--;
    return r;
}
#define FAIL_IF(X) do { struct rule *_r = (X); if (_r && _r->act == ACT_ERRNO) { errno = _r->err; return -1; } if (_r && _r->act == ACT_LIE) return 0; } while (0)

static ssize_t partial(struct rule *r, int fd, const void *b, size_t n, off_t off, int at) {
    size_t k = n > 1 ? n / 2 : n;
    ssize_t w = at ? real_pwrite64(fd, b, k, off) : real_write(fd, b, k);
    if (r->act == ACT_SHORT_KILL) { kill(getpid(), SIGKILL); for (;;) pause(); }
    return w;
}
ssize_t write(int fd, const void *b, size_t n) {
    GET(write);
    struct rule *r = hitfd(OP_WRITE, fd);
    if (r) { if (r->act == ACT_ERRNO) { errno = r->err; return -1; } if (r->act == ACT_LIE) return n; if (r->act >= ACT_SHORT) return partial(r, fd, b, n, 0, 0); }
    return real_write(fd, b, n);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off_t o) {
    GET(pwrite64);
    struct rule *r = hitfd(OP_WRITE, fd);
    if (r) { if (r->act == ACT_ERRNO) { errno = r->err; return -1; } if (r->act == ACT_LIE) return n; if (r->act >= ACT_SHORT) return partial(r, fd, b, n, o, 1); }
    return real_pwrite64(fd, b, n, o);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return pwrite64(fd, b, n, o); }
ssize_t writev(int fd, const struct iovec *v, int n) { GET(writev); FAIL_IF(hitfd(OP_WRITE, fd)); return real_writev(fd, v, n); }
ssize_t sendfile64(int o, int i, off_t *off, size_t n) { GET(sendfile64); FAIL_IF(hitfd(OP_WRITE, o)); FAIL_IF(hitfd(OP_READ, i)); return real_sendfile64(o, i, off, n); }
ssize_t sendfile(int o, int i, off_t *off, size_t n) { return sendfile64(o, i, off, n); }
ssize_t copy_file_range(int i, off_t *oi, int o, off_t *oo, size_t n, unsigned f) { GET(copy_file_range); FAIL_IF(hitfd(OP_WRITE, o)); return real_copy_file_range(i, oi, o, oo, n, f); }
ssize_t read(int fd, void *b, size_t n) { GET(read); FAIL_IF(hitfd(OP_READ, fd)); return real_read(fd, b, n); }
ssize_t pread64(int fd, void *b, size_t n, off_t o) { GET(pread64); FAIL_IF(hitfd(OP_READ, fd)); return real_pread64(fd, b, n, o); }
ssize_t pread(int fd, void *b, size_t n, off_t o) { return pread64(fd, b, n, o); }
int fsync(int fd) { GET(fsync); FAIL_IF(hitfd(OP_FSYNC, fd)); return real_fsync(fd); }
int fdatasync(int fd) { GET(fdatasync); FAIL_IF(hitfd(OP_FSYNC, fd)); return real_fdatasync(fd); }
int rename(const char *a, const char *b) { GET(rename); FAIL_IF(hitpath(OP_RENAME, AT_FDCWD, b)); return real_rename(a, b); }
int renameat(int d, const char *a, int e, const char *b) { GET(renameat); FAIL_IF(hitpath(OP_RENAME, e, b)); return real_renameat(d, a, e, b); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { GET(renameat2); FAIL_IF(hitpath(OP_RENAME, e, b)); return real_renameat2(d, a, e, b, f); }
int link(const char *a, const char *b) { GET(link); FAIL_IF(hitpath(OP_LINK, AT_FDCWD, b)); return real_link(a, b); }
int linkat(int d, const char *a, int e, const char *b, int f) { GET(linkat); FAIL_IF(hitpath(OP_LINK, e, b)); return real_linkat(d, a, e, b, f); }
int unlink(const char *p) { GET(unlink); FAIL_IF(hitpath(OP_UNLINK, AT_FDCWD, p)); return real_unlink(p); }
int unlinkat(int d, const char *p, int f) { GET(unlinkat); FAIL_IF(hitpath(OP_UNLINK, d, p)); return real_unlinkat(d, p, f); }
int ftruncate64(int fd, off_t n) { GET(ftruncate64); FAIL_IF(hitfd(OP_TRUNC, fd)); return real_ftruncate64(fd, n); }
int ftruncate(int fd, off_t n) { return ftruncate64(fd, n); }
int mkdir(const char *p, mode_t m) { GET(mkdir); FAIL_IF(hitpath(OP_MKDIR, AT_FDCWD, p)); return real_mkdir(p, m); }
#define MODE(f) mode_t m = 0; if ((f) & (O_CREAT | __O_TMPFILE)) { va_list ap; va_start(ap, f); m = va_arg(ap, mode_t); va_end(ap); }
int open64(const char *p, int f, ...) { MODE(f) GET(open64); if ((f & O_ACCMODE) != O_RDONLY) FAIL_IF(hitpath(OP_OPEN, AT_FDCWD, p)); return real_open64(p, f, m); }
int open(const char *p, int f, ...) { MODE(f) GET(open64); if ((f & O_ACCMODE) != O_RDONLY) FAIL_IF(hitpath(OP_OPEN, AT_FDCWD, p)); return real_open64(p, f, m); }
int openat64(int d, const char *p, int f, ...) { MODE(f) GET(openat64); if ((f & O_ACCMODE) != O_RDONLY) FAIL_IF(hitpath(OP_OPEN, d, p)); return real_openat64(d, p, f, m); }
int openat(int d, const char *p, int f, ...) { MODE(f) GET(openat64); if ((f & O_ACCMODE) != O_RDONLY) FAIL_IF(hitpath(OP_OPEN, d, p)); return real_openat64(d, p, f, m); }
