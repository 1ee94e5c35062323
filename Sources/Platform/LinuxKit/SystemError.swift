// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A system call that failed. For logs and for callers that switch over `code`; never shown to a tenant.
package struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    package let call: String
    /// What the call was about: a path, an interface.
    package let subject: String
    package let code: Int32

    package init(_ call: String, _ subject: String = "", code: Int32 = errno) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    package var description: String {
        let reason = strerror(code).map { String(cString: $0) } ?? "errno \(code)"
        return subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
    }
}

/// Throws when a call answered -1.
@discardableResult
func check<Value: SignedInteger>(_ value: Value, _ call: String, _ subject: String = "") throws(SystemError) -> Value {
    guard value >= 0 else { throw SystemError(call, subject) }
    return value
}

/// A file descriptor that is closed with its owner.
package struct OwnedDescriptor: ~Copyable, Sendable {
    package let number: Int32

    package init(_ number: Int32) { self.number = number }

    deinit { close(number) }

    /// Hands the descriptor to the caller, who closes it.
    package consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}
