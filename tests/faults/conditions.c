/* A machine with bad conditions, put before the system's C library: a slow or full disk below one folder, and a
 * wall clock that is wrong. What the conditions are stands in a shared file, see conditions.py, and may change
 * at any time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct conditions {
    int64_t sync_delay_ns;  /* every flush takes so much longer */
    int64_t refuse;         /* every write and flush fails with this error number; 0: none */
    int64_t clock_step_ns;  /* the wall clock is wrong by so much */
};

static volatile const struct conditions *now;
static const char *folder;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("RIGD_CONDITIONS");
    folder = getenv("RIGD_CONDITIONS_FOLDER");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || !folder) abort();
    now = mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, fd, 0);
    if (now == MAP_FAILED) abort();
    close(fd);
}

static int ours(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    return length > 0 && !strncmp(path, folder, strlen(folder));
}

static int refused(int fd) {
    if (!now->refuse || !ours(fd)) return 0;
    errno = (int)now->refuse;
    return 1;
}

static void delay(int fd) {
    int64_t ns = now->sync_delay_ns;
    if (!ns || !ours(fd)) return;
    struct timespec time = {ns / 1000000000, ns % 1000000000};
    nanosleep(&time, NULL);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRITE(name, parameters, arguments)                      \
    ssize_t name parameters {                                   \
        return refused(fd) ? -1 : NEXT(name) arguments;         \
    }
#define FLUSH(name)                                             \
    int name(int fd) {                                          \
        if (refused(fd)) return -1;                             \
        delay(fd);                                              \
        return NEXT(name)(fd);                                  \
    }

WRITE(write, (int fd, const void *data, size_t size), (fd, data, size))
WRITE(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRITE(pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
WRITE(writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WRITE(pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at))
WRITE(pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at))
FLUSH(fsync)
FLUSH(fdatasync)

/* What a read-only file system refuses beside writing to files that are open. */
static int refused_name(const char *path) {
    if (now->refuse != EROFS || strncmp(path, folder, strlen(folder))) return 0;
    errno = EROFS;
    return 1;
}

#define OPEN(name, parameters, arguments)                              \
    int name parameters {                                              \
        va_list more;                                                  \
        va_start(more, flags);                                         \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;      \
        va_end(more);                                                  \
        int writes = flags & (O_WRONLY | O_RDWR | O_CREAT);            \
        return writes && refused_name(path) ? -1 : NEXT(name) arguments; \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

int mkdir(const char *path, mode_t mode) { return refused_name(path) ? -1 : NEXT(mkdir)(path, mode); }
int unlink(const char *path) { return refused_name(path) ? -1 : NEXT(unlink)(path); }
int rename(const char *old, const char *path) { return refused_name(path) ? -1 : NEXT(rename)(old, path); }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = NEXT(clock_gettime)(clock, time);
    if (!result && clock == CLOCK_REALTIME && now) {
        int64_t ns = time->tv_sec * 1000000000LL + time->tv_nsec + now->clock_step_ns;
        time->tv_sec = ns / 1000000000;
        time->tv_nsec = ns % 1000000000;
    }
    return result;
}
