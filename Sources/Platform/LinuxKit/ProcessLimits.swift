// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What the kernel lets this process have.
package enum ProcessLimits {
    /// Lets the process, and those that it starts, open as many files as the system allows it: the usual 1024 is for
    /// programs that call `select`. Returns how many that is.
    @discardableResult
    package static func raiseOpenFiles() throws(SystemError) -> UInt64 {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { throw SystemError("getrlimit") }
        guard limit.rlim_cur < limit.rlim_max else { return UInt64(limit.rlim_cur) }
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(resource, &limit) == 0 else { throw SystemError("setrlimit") }
        return UInt64(limit.rlim_cur)
    }
}
