/* The witness: sees what a process asks of the disk below one folder, and writes it down.

   Preloaded into a process, it records writes, syncs, and changes of names in the order in which they were
   asked for, each as one write(2) at the end of the journal: a process that is killed leaves whole entries.
   It makes the system calls itself, so nothing here comes back to it.

   WITNESS_FOLDER is the folder, WITNESS_JOURNAL the file. journal.py reads it and knows what each kind means.
   A write is recorded before it is made, a sync when it begins and when it has returned: what was written
   before a sync began is on the disk once it has returned, and nothing else is. Names are changed by one thread
   of one process at a time, and recorded before the next one may: one renames what another has just made. */

#define _GNU_SOURCE
#undef _FORTIFY_SOURCE /* it would define some of these functions itself */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum kind {
    CREATE = 1, MKDIR, UNLINK, RMDIR, RENAME, WRITE, TRUNCATE, ALLOCATE, SYNC_BEGIN, SYNC_END, WRITTEN, BELL,
    MAPPED, ESCAPED, FAILED, LINK
};

struct entry {
    uint32_t mark, kind, thread, name_bytes;
    uint64_t inode, at, bytes, time_ns;
};

#define MARK 0x544e5457u
#define MOST_PARTS 1000
#define JOURNAL_FD 900 /* above what programs use; Python closes all but 0, 1, 2 before it starts another */

static int journal = -1;
static char folder[PATH_MAX];
static size_t folder_bytes;

static void stop(const char *why) {
    syscall(SYS_write, 2, why, strlen(why));
    abort();
}

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("WITNESS_JOURNAL"), *what = getenv("WITNESS_FOLDER");
    if (!where || !what || strlen(what) >= PATH_MAX)
        stop("witness: WITNESS_JOURNAL and WITNESS_FOLDER have to be set\n");
    int found = syscall(SYS_openat, AT_FDCWD, where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    journal = syscall(SYS_fcntl, found, F_DUPFD_CLOEXEC, JOURNAL_FD);
    if (journal < 0)
        stop("witness: the journal cannot be opened\n");
    syscall(SYS_close, found);
    strcpy(folder, what);
    folder_bytes = strlen(folder);
}

/* An entry: who and what, a name (of `name_bytes`), data in parts. */
static void record(enum kind kind, uint64_t inode, uint64_t at, const char *name, size_t name_bytes,
                   const struct iovec *parts, int count, uint64_t bytes) {
    struct timespec now;
    struct entry entry = {MARK, kind, (uint32_t)gettid(), (uint32_t)name_bytes, inode, at, bytes, 0};
    struct iovec all[MOST_PARTS + 2];
    size_t whole = sizeof entry + name_bytes;
    int error = errno;
    clock_gettime(CLOCK_REALTIME, &now);
    entry.time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    all[0] = (struct iovec){&entry, sizeof entry};
    all[1] = (struct iovec){(void *)name, name_bytes};
    for (int i = 0; i < count; i++) {
        all[i + 2] = parts[i];
        whole += parts[i].iov_len;
    }
    if (syscall(SYS_writev, journal, all, (long)count + 2) != (long)whole)
        stop("witness: the journal cannot be written\n");
    errno = error;
}

static void record_name(enum kind kind, uint64_t inode, const char *name) {
    record(kind, inode, 0, name, strlen(name), NULL, 0, 0);
}

static int below(const char *path) {
    return strncmp(path, folder, folder_bytes) == 0 && (path[folder_bytes] == '/' || !path[folder_bytes]);
}

/* The absolute path of a descriptor; whether it is ours to look at. */
static int of_descriptor(int fd, char *path) {
    char link[64] = "/proc/self/fd/";
    char digits[16];
    int n = 0, at = 14;
    if (fd < 0 || journal < 0)
        return 0;
    do
        digits[n++] = (char)('0' + fd % 10);
    while (fd /= 10);
    while (n)
        link[at++] = digits[--n];
    link[at] = 0;
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    return below(path);
}

/* Whether a path of a call is below the folder. One that goes up again may lead anywhere. */
static int led_below(const char *path) {
    if (below(path) && strstr(path, "/../"))
        record_name(ESCAPED, 0, "a path that goes up");
    return below(path);
}

/* The absolute path of a name as a call gives it. */
static int of_name(int base, const char *name, char *path) {
    char start[PATH_MAX];
    if (journal < 0)
        return 0;
    if (name[0] == '/') {
        if (strlen(name) >= PATH_MAX)
            return 0;
        strcpy(path, name);
        return led_below(path);
    }
    if (base == AT_FDCWD) {
        if (syscall(SYS_getcwd, start, sizeof start) < 0)
            return 0;
    } else {
        of_descriptor(base, start);
    }
    if (strlen(start) + strlen(name) + 2 > PATH_MAX)
        return 0;
    strcpy(path, start);
    strcat(path, "/");
    strcat(path, name);
    return led_below(path);
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void enter(void) {
    pthread_mutex_lock(&turn);
    if (journal >= 0)
        syscall(SYS_flock, journal, LOCK_EX);
}

/* Hands the result of the call through, and what it says about an error. */
static int leave(int result) {
    int error = errno;
    if (journal >= 0)
        syscall(SYS_flock, journal, LOCK_UN);
    pthread_mutex_unlock(&turn);
    errno = error;
    return result;
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : (uint64_t)found.st_ino;
}

/* Files. */

static int opened(int base, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    struct stat before;
    if (!(flags & (O_CREAT | O_TRUNC)) || !of_name(base, name, path))
        return (int)syscall(SYS_openat, base, name, flags, mode);
    enter();
    int was = !lstat(path, &before);
    int fd = (int)syscall(SYS_openat, base, name, flags, mode);
    if (fd < 0)
        return leave(fd);
    if (!was)
        record_name(CREATE, inode_of(fd), path);
    else if (flags & O_TRUNC && before.st_size)
        record(TRUNCATE, inode_of(fd), 0, NULL, 0, NULL, 0, 0);
    return leave(fd);
}

static mode_t mode_of(int flags, va_list more) {
    return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(more, int) : 0;
}

#define OPEN(function)                                                                                        \
    int function(const char *name, int flags, ...) {                                                          \
        va_list more;                                                                                         \
        va_start(more, flags);                                                                                \
        mode_t mode = mode_of(flags, more);                                                                   \
        va_end(more);                                                                                         \
        return opened(AT_FDCWD, name, flags, mode);                                                           \
    }
#define OPENAT(function)                                                                                      \
    int function(int base, const char *name, int flags, ...) {                                                \
        va_list more;                                                                                         \
        va_start(more, flags);                                                                                \
        mode_t mode = mode_of(flags, more);                                                                   \
        va_end(more);                                                                                         \
        return opened(base, name, flags, mode);                                                               \
    }
#define CREAT(function)                                                                                       \
    int function(const char *name, mode_t mode) {                                                             \
        return opened(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);                                    \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
CREAT(creat)
CREAT(creat64)

/* Writes. `at` < 0: where the descriptor stands. */

static long written(int fd, const struct iovec *parts, int count, off_t at, long call, long flags) {
    char path[PATH_MAX];
    uint64_t bytes = 0, inode = 0;
    int modes = 0, ours = of_descriptor(fd, path);
    off_t start = at;
    if (ours && count > MOST_PARTS)
        stop("witness: a write of too many parts\n");
    for (int i = 0; ours && i < count; i++)
        bytes += parts[i].iov_len;
    if (ours) {
        struct stat found;
        fstat(fd, &found);
        modes = (int)syscall(SYS_fcntl, fd, F_GETFL);
        inode = (uint64_t)found.st_ino;
        if (modes & O_APPEND)
            start = found.st_size;
        else if (at < 0)
            start = syscall(SYS_lseek, fd, 0, SEEK_CUR);
        record(WRITE, inode, (uint64_t)start, NULL, 0, parts, count, bytes);
    }
    long done = call == SYS_writev ? syscall(call, fd, parts, (long)count)
                                   : syscall(call, fd, parts, (long)count, at, 0L, flags);
    if (ours && done != (long)bytes)
        record_name(FAILED, inode, "a write");
    else if (ours && modes & O_DSYNC)
        record(WRITTEN, inode, (uint64_t)start, NULL, 0, NULL, 0, bytes);
    return done;
}

ssize_t write(int fd, const void *data, size_t bytes) {
    struct iovec part = {(void *)data, bytes};
    return written(fd, &part, 1, -1, SYS_writev, 0);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return written(fd, parts, count, -1, SYS_writev, 0);
}

#define PWRITE(function)                                                                                      \
    ssize_t function(int fd, const void *data, size_t bytes, off_t at) {                                      \
        struct iovec part = {(void *)data, bytes};                                                            \
        return written(fd, &part, 1, at, SYS_pwritev, 0);                                                     \
    }
#define PWRITEV(function)                                                                                     \
    ssize_t function(int fd, const struct iovec *parts, int count, off_t at) {                                \
        return written(fd, parts, count, at, SYS_pwritev, 0);                                                 \
    }
#define PWRITEV2(function)                                                                                    \
    ssize_t function(int fd, const struct iovec *parts, int count, off_t at, int flags) {                     \
        char path[PATH_MAX];                                                                                  \
        if (flags && of_descriptor(fd, path))                                                                 \
            record_name(ESCAPED, 0, #function);                                                               \
        return written(fd, parts, count, at, SYS_pwritev2, flags);                                            \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
PWRITEV(pwritev)
PWRITEV(pwritev64)
PWRITEV2(pwritev2)
PWRITEV2(pwritev64v2)

/* Sizes. */

static int resized(enum kind kind, int fd, uint64_t size, int failed) {
    char path[PATH_MAX];
    if (!failed && of_descriptor(fd, path))
        record(kind, inode_of(fd), size, NULL, 0, NULL, 0, 0);
    return failed;
}

static int cut(const char *name, off_t size) {
    char path[PATH_MAX];
    struct stat found;
    int failed = (int)syscall(SYS_truncate, name, size);
    if (!failed && of_name(AT_FDCWD, name, path) && !stat(path, &found))
        record(TRUNCATE, (uint64_t)found.st_ino, (uint64_t)size, NULL, 0, NULL, 0, 0);
    return failed;
}

static int allocated(int fd, int mode, off_t at, off_t bytes) {
    char path[PATH_MAX];
    if (mode && of_descriptor(fd, path))
        record_name(ESCAPED, 0, "fallocate with a mode");
    return resized(ALLOCATE, fd, (uint64_t)(at + bytes), (int)syscall(SYS_fallocate, fd, mode, at, bytes));
}

static int allocated_by_posix(int fd, off_t at, off_t bytes) {
    int before = errno, failed = allocated(fd, 0, at, bytes) ? errno : 0;
    errno = before;
    return failed;
}

int ftruncate(int fd, off_t size) {
    return resized(TRUNCATE, fd, (uint64_t)size, (int)syscall(SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }
int truncate(const char *name, off_t size) { return cut(name, size); }
int truncate64(const char *name, off_t size) { return cut(name, size); }
int fallocate(int fd, int mode, off_t at, off_t bytes) { return allocated(fd, mode, at, bytes); }
int fallocate64(int fd, int mode, off_t at, off_t bytes) { return allocated(fd, mode, at, bytes); }
int posix_fallocate(int fd, off_t at, off_t bytes) { return allocated_by_posix(fd, at, bytes); }
int posix_fallocate64(int fd, off_t at, off_t bytes) { return allocated_by_posix(fd, at, bytes); }

/* Syncs. */

static int synced(int fd, long call) {
    char path[PATH_MAX];
    int ours = of_descriptor(fd, path);
    uint64_t inode = ours ? inode_of(fd) : 0;
    if (ours)
        record(SYNC_BEGIN, inode, 0, NULL, 0, NULL, 0, 0);
    int failed = (int)syscall(call, fd);
    if (ours && failed)
        record_name(FAILED, inode, "a sync");
    else if (ours)
        record(SYNC_END, inode, 0, NULL, 0, NULL, 0, 0);
    return failed;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

/* Names. */

static int unlinked(int base, const char *name, int flags) {
    char path[PATH_MAX];
    enter();
    int failed = (int)syscall(SYS_unlinkat, base, name, flags);
    if (!failed && of_name(base, name, path))
        record_name(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, path);
    return leave(failed);
}

static int made(int base, const char *name, mode_t mode) {
    char path[PATH_MAX];
    struct stat found;
    enter();
    int failed = (int)syscall(SYS_mkdirat, base, name, mode);
    if (!failed && of_name(base, name, path) && !stat(path, &found))
        record_name(MKDIR, (uint64_t)found.st_ino, path);
    return leave(failed);
}

/* A call that gives a file another name, or one more, has returned. */
static int named(enum kind kind, int failed, int base, const char *from, int other, const char *to, int flags) {
    char path[2 * PATH_MAX], target[PATH_MAX];
    int ours = of_name(base, from, path) + of_name(other, to, target);
    if (failed || !ours)
        return leave(failed);
    if (flags || ours < 2) {
        record_name(ESCAPED, 0, "a name across the border, or with flags");
        return leave(0);
    }
    size_t size = strlen(path) + 1;
    strcpy(path + size, target);
    record(kind, 0, 0, path, size + strlen(target), NULL, 0, 0);
    return leave(0);
}

static int renamed(int base, const char *from, int other, const char *to, unsigned flags) {
    enter();
    int failed = (int)syscall(SYS_renameat2, base, from, other, to, flags);
    return named(RENAME, failed, base, from, other, to, (int)flags);
}

int linkat(int base, const char *from, int other, const char *to, int flags) {
    enter();
    int failed = (int)syscall(SYS_linkat, base, from, other, to, flags);
    return named(LINK, failed, base, from, other, to, flags & ~AT_SYMLINK_FOLLOW);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int base, const char *from, int other, const char *to) {
    return renamed(base, from, other, to, 0);
}
int renameat2(int base, const char *from, int other, const char *to, unsigned flags) {
    return renamed(base, from, other, to, flags);
}
int unlink(const char *name) { return unlinked(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinked(AT_FDCWD, name, AT_REMOVEDIR); }
int unlinkat(int base, const char *name, int flags) { return unlinked(base, name, flags); }
int mkdir(const char *name, mode_t mode) { return made(AT_FDCWD, name, mode); }
int mkdirat(int base, const char *name, mode_t mode) { return made(base, name, mode); }

/* What nobody here does, and what would have to be recorded before somebody may. */

static void escape(int fd, const char *what) {
    char path[PATH_MAX];
    if (of_descriptor(fd, path))
        record_name(ESCAPED, 0, what);
}

int symlinkat(const char *from, int base, const char *to) {
    char path[PATH_MAX];
    int failed = (int)syscall(SYS_symlinkat, from, base, to);
    if (!failed && of_name(base, to, path))
        record_name(ESCAPED, 0, "symlink");
    return failed;
}
int symlink(const char *from, const char *to) { return symlinkat(from, AT_FDCWD, to); }

#define SENDFILE(function)                                                                                    \
    ssize_t function(int out, int in, off_t *at, size_t bytes) {                                              \
        escape(out, "sendfile");                                                                              \
        return syscall(SYS_sendfile, out, in, at, bytes);                                                     \
    }
SENDFILE(sendfile)
SENDFILE(sendfile64)

ssize_t copy_file_range(int in, off_t *from, int out, off_t *to, size_t bytes, unsigned flags) {
    escape(out, "copy_file_range");
    return syscall(SYS_copy_file_range, in, from, out, to, bytes, flags);
}

#define MMAP(function)                                                                                        \
    void *function(void *start, size_t bytes, int access, int flags, int fd, off_t at) {                      \
        char path[PATH_MAX];                                                                                  \
        if (access & PROT_WRITE && flags & MAP_SHARED && of_descriptor(fd, path))                             \
            record_name(MAPPED, inode_of(fd), path);                                                          \
        return (void *)syscall(SYS_mmap, start, bytes, access, flags, fd, at);                                \
    }
MMAP(mmap)
MMAP(mmap64)

/* The wake-up: what the recorder tells its followers. Recorded before it is sent, so before anybody knows. */

ssize_t sendto(int fd, const void *data, size_t bytes, int flags, const struct sockaddr *to, socklen_t size) {
    const struct sockaddr_un *unix_to = (const struct sockaddr_un *)to;
    char path[PATH_MAX];
    static const char start[] = "/proc/self/fd/";
    if (to && to->sa_family == AF_UNIX && !strncmp(unix_to->sun_path, start, sizeof start - 1) &&
        of_descriptor(atoi(unix_to->sun_path + sizeof start - 1), path)) {
        struct iovec part = {(void *)data, bytes};
        record(BELL, 0, 0, NULL, 0, &part, 1, bytes);
    }
    return syscall(SYS_sendto, fd, data, bytes, flags, to, size);
}
