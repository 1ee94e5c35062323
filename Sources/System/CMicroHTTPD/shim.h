// SPDX-License-Identifier: Apache-2.0
// What Swift cannot call by itself: variadic functions and macros.
#pragma once
#include <microhttpd.h>
#include <stdint.h>
#include <string.h>

/// What a daemon is started with. A daemon listens on nothing and has no thread: connections are handed to it, and
/// its caller runs it.
struct cmhd_settings {
    unsigned connection_limit;
    unsigned timeout_seconds;
    size_t connection_memory;
    MHD_AccessHandlerCallback access;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    void *(*uri)(void *closure, const char *uri, struct MHD_Connection *connection);
    void *closure;
    /// PEM texts that outlive the daemon, or NULL for plain HTTP.
    const char *certificate;
    const char *key;
};

/// Leaves the URL as it was sent: the server reads the raw form.
static inline size_t cmhd_keep_escapes(void *closure, struct MHD_Connection *connection, char *text) {
    (void)closure;
    (void)connection;
    return strlen(text);
}

static inline struct MHD_Daemon *cmhd_start(const struct cmhd_settings *s) {
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)s->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)s->key},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE
        | (s->certificate ? MHD_USE_TLS : 0);
    return MHD_start_daemon(
        flags, 0, NULL, NULL, s->access, s->closure,
        MHD_OPTION_CONNECTION_LIMIT, s->connection_limit,
        MHD_OPTION_CONNECTION_TIMEOUT, s->timeout_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, s->connection_memory,
        MHD_OPTION_NOTIFY_COMPLETED, s->completed, s->closure,
        MHD_OPTION_NOTIFY_CONNECTION, s->connection, s->closure,
        MHD_OPTION_URI_LOG_CALLBACK, s->uri, s->closure,
        MHD_OPTION_UNESCAPE_CALLBACK, cmhd_keep_escapes, NULL,
        MHD_OPTION_STRICT_FOR_CLIENT, (int)1,
        // Without it there is no sendfile. The server ignores the signal.
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, (int)1,
        MHD_OPTION_ARRAY, s->certificate ? tls : none,
        MHD_OPTION_END);
}

/// The descriptor that becomes readable when the daemon wants to run, or -1.
static inline int cmhd_epoll(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

/// Milliseconds until the daemon wants to run all the same, or -1.
static inline int cmhd_timeout(struct MHD_Daemon *daemon) {
    MHD_UNSIGNED_LONG_LONG milliseconds;
    if (MHD_get_timeout(daemon, &milliseconds) != MHD_YES) return -1;
    return milliseconds > 3600000 ? 3600000 : (int)milliseconds;
}

/// What the connection callback stored for the life of the connection.
static inline void *cmhd_socket_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/// Bytes of the request's line and header together.
static inline size_t cmhd_header_size(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

static inline void cmhd_upgrade_close(struct MHD_UpgradeResponseHandle *handle) {
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

/// `length`: `Content-Length` may be added to a response whose status has none by itself. `keep_alive`: the response says
/// `Connection: keep-alive`, which HTTP/1.1 takes for granted.
static inline void cmhd_allow(struct MHD_Response *response, _Bool length, _Bool keep_alive) {
    int flags = (length ? MHD_RF_INSANITY_HEADER_CONTENT_LENGTH : 0) | (keep_alive ? MHD_RF_SEND_KEEP_ALIVE_HEADER : 0);
    MHD_set_response_options(response, (enum MHD_ResponseFlags)flags, MHD_RO_END);
}

static inline uint64_t cmhd_size_unknown(void) { return MHD_SIZE_UNKNOWN; }
static inline ssize_t cmhd_end_of_stream(void) { return MHD_CONTENT_READER_END_OF_STREAM; }
static inline ssize_t cmhd_end_with_error(void) { return MHD_CONTENT_READER_END_WITH_ERROR; }
