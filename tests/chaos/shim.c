/* A layer between a program and its files, put in with LD_PRELOAD. Below one directory it counts every call by kind and
 * role of the file, records what reaches the disk, and at a chosen call kills the process or lets the call fail.
 *
 * A call is named by (kind, role, occurrence): the third "pwrite" to "ledger.sqlite-wal". Roles are file names without
 * what varies between equal runs (process ids, hashes); see `role_of`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { MAX_FDS = 4096, MAX_KEYS = 1024, NAME = 80 };
enum { NOTHING, KILL_BEFORE, KILL_AFTER, KILL_MIDDLE, FAIL, SHORT, FULL };

typedef struct { char path[512], role[NAME]; int is_open, is_written; } File;
typedef struct { char kind[16], role[NAME]; int count; } Key;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char root[512];
static size_t root_length;
static int is_watching, trace_fd = -1, sticky_error;
static File files[MAX_FDS];
static Key keys[MAX_KEYS];
static int num_keys;
static struct { char kind[16], role[NAME]; int occurrence, action, error, is_sticky, percent; } aim;
static volatile int *fired; /* shared with the process that started this one: survives a kill */

/* -- control, called through ctypes ------------------------------------------------------------------------------- */

void chaos_watch(const char *directory, int trace, int *shared) {
    snprintf(root, sizeof root, "%s", directory);
    root_length = strlen(root);
    memset(files, 0, sizeof files);
    memset(&aim, 0, sizeof aim);
    num_keys = sticky_error = 0;
    trace_fd = trace;
    fired = shared;
    is_watching = 1;
}

void chaos_aim(const char *kind, const char *role, int occurrence, int action, int error, int is_sticky, int percent) {
    snprintf(aim.kind, sizeof aim.kind, "%s", kind);
    snprintf(aim.role, sizeof aim.role, "%s", role);
    aim.occurrence = occurrence, aim.action = action, aim.error = error;
    aim.is_sticky = is_sticky, aim.percent = percent;
}

void chaos_stop(void) { is_watching = 0; }

/* The number-th (kind, role) that was seen, and how often; -1 behind the last. */
int chaos_counted(int number, char *kind, char *role) {
    if (number >= num_keys) return -1;
    strcpy(kind, keys[number].kind);
    strcpy(role, keys[number].role);
    return keys[number].count;
}

/* -- names -------------------------------------------------------------------------------------------------------- */

static int is_below(const char *path) {
    return is_watching && path && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* "<output>", "<run>", "<edits>" for directories, "image", "image.tmp", "log", likewise for the pictures of the report;
 * else the name without process ids. */
static void role_of(const char *path, char *role) {
    const char *rest = path + root_length, *name = strrchr(path, '/') + 1;
    int depth = 0;
    for (const char *c = rest; *c; c++) depth += *c == '/';
    if (depth == 0) strcpy(role, "<output>");
    else if (depth == 1 && !strstr(name, "latest")) strcpy(role, strcmp(name, "logs") ? "<run>" : "<logs>");
    else if (depth == 2 && !strcmp(name, "edits")) strcpy(role, "<edits>");
    else if (depth == 2 && !strncmp(rest, "/logs/", 6)) strcpy(role, "log");
    else if (depth == 3 && strstr(rest, "/edits/")) strcpy(role, name[0] == '.' ? "image.tmp" : "image");
    else if (depth == 4 && strstr(rest, "/thumbs/")) strcpy(role, name[0] == '.' ? "thumb.tmp" : "thumb");
    else if (depth == 4 && strstr(rest, "/pictures/")) strcpy(role, name[0] == '.' ? "picture.tmp" : "picture");
    else if (depth == 4 && strstr(rest, "/app/")) strcpy(role, name[0] == '.' ? "app.tmp" : "app");
    else if (depth == 3 && !strchr(name, '.')) snprintf(role, NAME, "<%s>", name);
    else {
        char copy[256], *part, *state = NULL;
        snprintf(copy, sizeof copy, "%s", name);
        role[0] = 0;
        for (part = strtok_r(copy, ".", &state); part; part = strtok_r(NULL, ".", &state))
            if (strspn(part, "0123456789") != strlen(part))
                snprintf(role + strlen(role), NAME - strlen(role), "%s%s", role[0] ? "." : "", part);
    }
}

/* -- the record ---------------------------------------------------------------------------------------------------- */

static void raw_write(const void *data, size_t size) {
    const char *at = data;
    while (size) {
        ssize_t count = syscall(SYS_write, trace_fd, at, size);
        if (count <= 0) abort();
        at += count, size -= count;
    }
}

/* kind NUL role NUL path NUL other NUL, preceded by: length of these, fd, offset, length of data; then the data */
static void record(const char *kind, const char *role, const char *path, const char *other, int fd, int64_t offset,
                   const void *data, size_t size) {
    if (trace_fd < 0) return;
    char text[2048];
    int length = snprintf(text, sizeof text, "%s%c%s%c%s%c%s%c", kind, 0, role, 0, path, 0, other, 0);
    struct __attribute__((packed)) { uint32_t text; int32_t fd; int64_t offset; uint64_t data; } head = {
        length, fd, offset, size};
    raw_write(&head, sizeof head);
    raw_write(text, length);
    raw_write(data, size);
}

void chaos_mark(const char *text) {
    pthread_mutex_lock(&mutex);
    if (is_watching) record("mark", "", text, "", -1, 0, NULL, 0);
    pthread_mutex_unlock(&mutex);
}

/* -- the fault ----------------------------------------------------------------------------------------------------- */

static int count_call(const char *kind, const char *role) {
    for (int i = 0; i < num_keys; i++)
        if (!strcmp(keys[i].kind, kind) && !strcmp(keys[i].role, role)) return ++keys[i].count;
    if (num_keys == MAX_KEYS) abort();
    snprintf(keys[num_keys].kind, sizeof keys[0].kind, "%s", kind);
    snprintf(keys[num_keys].role, sizeof keys[0].role, "%s", role);
    return keys[num_keys++].count = 1;
}

/* What is to happen to this call; an error that stays, stays for every call that would change the disk. */
static int decide(const char *kind, const char *role, int changes_disk) {
    int is_it = count_call(kind, role) == aim.occurrence && !strcmp(kind, aim.kind) && !strcmp(role, aim.role);
    if (is_it && aim.action) {
        if (fired) *fired = 1;
        if (aim.is_sticky) sticky_error = aim.error;
        if (aim.action == KILL_BEFORE) kill(getpid(), SIGKILL);
        return aim.action;
    }
    return sticky_error && changes_disk ? FAIL : NOTHING;
}

static int error_now(void) { return sticky_error ? sticky_error : aim.error; }

#define FAILED (errno = error_now(), -1)
#define DIE kill(getpid(), SIGKILL)

/* A call that either happens or does not. `act` must be evaluated once. */
#define WHOLE(kind, role, changes, act, note)                      \
    ({                                                             \
        int what_ = decide(kind, role, changes);                   \
        long result_ = what_ == FAIL || what_ == FULL || what_ == SHORT ? FAILED : (long)(act); \
        int saved_ = errno;                                        \
        if (result_ >= 0) { note; }                                \
        if (what_ == KILL_AFTER || what_ == KILL_MIDDLE) DIE;      \
        errno = saved_;                                            \
        result_;                                                   \
    })

static File *watched(int fd) { return is_watching && fd >= 0 && fd < MAX_FDS && files[fd].is_open ? &files[fd] : NULL; }

/* -- files --------------------------------------------------------------------------------------------------------- */

static void note_open(const char *kind, const char *role, const char *path, int fd, int is_written) {
    if (fd < MAX_FDS) {
        File *file = &files[fd];
        snprintf(file->path, sizeof file->path, "%s", path);
        strcpy(file->role, role);
        file->is_open = 1, file->is_written = is_written;
    }
    record(kind, role, path, "", fd, 0, NULL, 0);
}

static int open_watched(int directory, const char *path, int flags, mode_t mode) {
    char role[NAME];
    int is_written = (flags & O_ACCMODE) != O_RDONLY;
    pthread_mutex_lock(&mutex);
    role_of(path, role);
    int is_new = (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
    const char *noted = is_new ? "create" : flags & O_TRUNC ? "empty" : "open";
    int fd = WHOLE(is_written ? "open" : "open-read", role, is_written, syscall(SYS_openat, directory, path, flags, mode),
                   note_open(noted, role, path, result_, is_written));
    int saved = errno;
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return fd;
}

#define OPEN(name)                                                                 \
    int name(const char *path, int flags, ...) {                                   \
        va_list rest;                                                              \
        va_start(rest, flags);                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;    \
        va_end(rest);                                                              \
        if (is_below(path)) return open_watched(AT_FDCWD, path, flags, mode);      \
        return syscall(SYS_openat, AT_FDCWD, path, flags, mode);                   \
    }
OPEN(open)
OPEN(open64)

/* The whole name of `path` in the directory behind `directory`, if we know that one; else `path` as it is. */
static const char *whole_name(int directory, const char *path, char *whole, size_t size) {
    File *above = directory == AT_FDCWD || !path || path[0] == '/' ? NULL : watched(directory);
    if (!above) return path;
    snprintf(whole, size, "%s/%s", above->path, path);
    return whole;
}

#define OPENAT(name)                                                               \
    int name(int directory, const char *path, int flags, ...) {                    \
        va_list rest;                                                              \
        va_start(rest, flags);                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;    \
        va_end(rest);                                                              \
        char whole[1024];                                                          \
        const char *named = whole_name(directory, path, whole, sizeof whole);      \
        if (is_below(named)) return open_watched(AT_FDCWD, named, flags, mode);    \
        return syscall(SYS_openat, directory, path, flags, mode);                  \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    File *file = watched(fd);
    if (!file) return syscall(SYS_close, fd);
    pthread_mutex_lock(&mutex);
    file->is_open = 0;
    /* on Linux a close that fails has closed all the same */
    int what = decide(file->is_written ? "close" : "close-read", file->role, 0);
    int result = syscall(SYS_close, fd);
    record("close", file->role, file->path, "", fd, 0, NULL, 0);
    if (what == KILL_AFTER || what == KILL_MIDDLE) DIE;
    if (what == FAIL) result = FAILED;
    pthread_mutex_unlock(&mutex);
    return result;
}

static ssize_t write_watched(File *file, const char *kind, int fd, const void *data, size_t size, int64_t offset) {
    pthread_mutex_lock(&mutex);
    int what = decide(kind, file->role, 1);
    size_t part = size;
    if ((what == KILL_MIDDLE || what == SHORT || what == FULL) && size > 1) part = 1 + (size - 2) * aim.percent / 100;
    int64_t at = offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR);
    ssize_t result = -1;
    if (what == FAIL || (what == FULL && size < 2)) errno = error_now();
    else result = offset >= 0 ? syscall(SYS_pwrite64, fd, data, part, offset) : syscall(SYS_write, fd, data, part);
    int saved = errno;
    if (result > 0) record("data", file->role, file->path, "", fd, at, data, result);
    if (what == KILL_AFTER || what == KILL_MIDDLE) DIE;
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return result;
}

ssize_t write(int fd, const void *data, size_t size) {
    File *file = watched(fd);
    return file ? write_watched(file, "write", fd, data, size, -1) : syscall(SYS_write, fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    File *file = watched(fd);
    return file ? write_watched(file, "pwrite", fd, data, size, offset) : syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return pwrite(fd, data, size, offset); }

static ssize_t read_watched(File *file, const char *kind, int fd, void *data, size_t size, int64_t offset) {
    pthread_mutex_lock(&mutex);
    int what = decide(kind, file->role, 0);
    size_t part = what == SHORT && size > 1 ? 1 + (size - 2) * aim.percent / 100 : size;
    ssize_t result = what == FAIL ? FAILED
                     : offset >= 0 ? syscall(SYS_pread64, fd, data, part, offset) : syscall(SYS_read, fd, data, part);
    int saved = errno;
    pthread_mutex_unlock(&mutex);
    errno = saved;
    return result;
}

ssize_t read(int fd, void *data, size_t size) {
    File *file = watched(fd);
    return file ? read_watched(file, "read", fd, data, size, -1) : syscall(SYS_read, fd, data, size);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset) {
    File *file = watched(fd);
    return file ? read_watched(file, "pread", fd, data, size, offset) : syscall(SYS_pread64, fd, data, size, offset);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset) { return pread(fd, data, size, offset); }

#define ON_FD(name, kind, changes, note_kind, note_offset, call)                                       \
    File *file = watched(fd);                                                                          \
    if (!file) return call;                                                                            \
    pthread_mutex_lock(&mutex);                                                                        \
    long result = WHOLE(kind, file->role, changes, call,                                               \
                        record(note_kind, file->role, file->path, "", fd, note_offset, NULL, 0));      \
    int saved = errno;                                                                                 \
    pthread_mutex_unlock(&mutex);                                                                      \
    errno = saved;                                                                                     \
    return result

int fsync(int fd) { ON_FD(fsync, "fsync", 1, "fsync", 0, syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { ON_FD(fdatasync, "fdatasync", 1, "fsync", 0, syscall(SYS_fdatasync, fd)); }
int ftruncate(int fd, off_t size) { ON_FD(ftruncate, "ftruncate", 1, "resize", size, syscall(SYS_ftruncate, fd, size)); }
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
int flock(int fd, int how) { ON_FD(flock, "flock", 0, "lock", 0, syscall(SYS_flock, fd, how)); }

/* Locks only; everything else passes. */
static int fcntl_any(int fd, int command, void *argument) {
    int is_lock = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    if (!is_lock || !watched(fd)) return syscall(SYS_fcntl, fd, command, argument);
    ON_FD(fcntl, "fcntl", 0, "lock", 0, syscall(SYS_fcntl, fd, command, argument));
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fcntl_any(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fcntl_any(fd, command, argument);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    File *file = fd >= 0 ? watched(fd) : NULL;
    if (file) {
        pthread_mutex_lock(&mutex);
        int what = decide("mmap", file->role, 0);
        if (what == FAIL) errno = error_now();
        pthread_mutex_unlock(&mutex);
        if (what == FAIL) return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset) {
    return mmap(address, size, protection, flags, fd, offset);
}

/* -- names on disk ------------------------------------------------------------------------------------------------- */

#define ON_PATH(kind, path, from, to, call)                                        \
    if (!is_below(path)) return call;                                              \
    char role[NAME];                                                               \
    pthread_mutex_lock(&mutex);                                                    \
    role_of(path, role);                                                           \
    int result = WHOLE(kind, role, 1, call, record(kind, role, from, to, -1, 0, NULL, 0)); \
    int saved = errno;                                                             \
    pthread_mutex_unlock(&mutex);                                                  \
    errno = saved;                                                                 \
    return result

int rename(const char *from, const char *to) { ON_PATH("rename", to, from, to, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0)); }
int unlink(const char *path) { ON_PATH("unlink", path, path, "", syscall(SYS_unlinkat, AT_FDCWD, path, 0)); }
int mkdir(const char *path, mode_t mode) { ON_PATH("mkdir", path, path, "", syscall(SYS_mkdirat, AT_FDCWD, path, mode)); }

/* The same by directory: one that we know has a name, and so have the files in it. */
int renameat(int old, const char *from, int new, const char *to) {
    char whole_from[1024], whole_to[1024];
    const char *a = whole_name(old, from, whole_from, sizeof whole_from), *b = whole_name(new, to, whole_to, sizeof whole_to);
    if (is_below(b)) return rename(a, b);
    return syscall(SYS_renameat2, old, from, new, to, 0);
}
int unlinkat(int directory, const char *path, int flags) {
    char whole[1024];
    const char *named = whole_name(directory, path, whole, sizeof whole);
    if (!flags && is_below(named)) return unlink(named);
    return syscall(SYS_unlinkat, directory, path, flags);
}
int mkdirat(int directory, const char *path, mode_t mode) {
    char whole[1024];
    const char *named = whole_name(directory, path, whole, sizeof whole);
    if (is_below(named)) return mkdir(named, mode);
    return syscall(SYS_mkdirat, directory, path, mode);
}
int symlink(const char *target, const char *path) {
    ON_PATH("symlink", path, path, target, syscall(SYS_symlinkat, target, AT_FDCWD, path));
}
