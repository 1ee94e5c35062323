// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLDAP
import Glibc
import IdentityContract

/// What a search found.
struct LDAPEntry: Sendable {
    var dn: String
    /// By name in lower case: LDAP's names know no case.
    var attributes: [String: [String]]

    func text(_ name: String) -> String? { attributes[name.lowercased()]?.first }
    func texts(_ name: String) -> [String] { attributes[name.lowercased()] ?? [] }
}

/// One connection. Its calls block; it is used on the thread that made it, and closed there.
final class LDAPConnection {
    private static let timeoutSeconds = 10
    private static let maximumEntries = 100_000

    private var handle: OpaquePointer?

    /// Connects with the first call that needs it. Throws `.unavailable` for settings that cannot work.
    init(_ settings: DirectorySettings) throws {
        let result = ldap_initialize(&handle, settings.url)
        guard result == LDAP_SUCCESS, handle != nil else { throw Self.unavailable(Self.text(result)) }
        do {
            try prepare(settings)
        } catch {
            close()
            throw error
        }
    }

    deinit { precondition(handle == nil, "an LDAP connection was not closed") }

    func close() {
        if let handle { ldap_unbind_ext_s(handle, nil, nil) }
        handle = nil
    }

    private func prepare(_ settings: DirectorySettings) throws {
        var version = Int32(LDAP_VERSION3)
        try set(LDAP_OPT_PROTOCOL_VERSION, &version)
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        try set(LDAP_OPT_NETWORK_TIMEOUT, &timeout)
        try set(LDAP_OPT_TIMEOUT, &timeout)
        // A null pointer is `LDAP_OPT_OFF`: a server's word sends nobody with a password elsewhere.
        guard ldap_set_option(handle, LDAP_OPT_REFERRALS, nil) == LDAP_OPT_SUCCESS else {
            throw Self.unavailable("option \(LDAP_OPT_REFERRALS)")
        }
        guard settings.startsTLS || settings.url.hasPrefix("ldaps:") else { return }
        var demand: Int32
        switch settings.certificate {
        case .demand: demand = Int32(LDAP_OPT_X_TLS_DEMAND)
        case .allow: demand = Int32(LDAP_OPT_X_TLS_ALLOW)
        case .never: demand = Int32(LDAP_OPT_X_TLS_NEVER)
        }
        try set(LDAP_OPT_X_TLS_REQUIRE_CERT, &demand)
        if let file = settings.caFile {
            guard ldap_set_option(handle, LDAP_OPT_X_TLS_CACERTFILE, file) == LDAP_OPT_SUCCESS else {
                throw Self.unavailable("the file of certificates")
            }
        }
        // The options above count for contexts that are made after them.
        var isServer: Int32 = 0
        try set(LDAP_OPT_X_TLS_NEWCTX, &isServer)
        guard settings.startsTLS else { return }
        let result = ldap_start_tls_s(handle, nil, nil)
        guard result == LDAP_SUCCESS else { throw Self.unavailable(Self.text(result)) }
    }

    private func set<Value>(_ option: Int32, _ value: inout Value) throws {
        // SAFETY: libldap copies the value, which has the option's C type, before it returns.
        let result = withUnsafePointer(to: &value) { ldap_set_option(handle, option, $0) }
        guard result == LDAP_OPT_SUCCESS else { throw Self.unavailable("option \(option)") }
    }

    /// False: the name or the password is wrong.
    func bind(_ dn: String, _ password: Secret) throws -> Bool {
        var text = Array(password.reveal().utf8).map { CChar(bitPattern: $0) }
        // SAFETY: the buffer lives through the call, which copies it into its message.
        let result = text.withUnsafeMutableBufferPointer { buffer in
            var credentials = berval(bv_len: ber_len_t(buffer.count), bv_val: buffer.baseAddress)
            return ldap_sasl_bind_s(handle, dn, nil, &credentials, nil, nil, nil)
        }
        switch result {
        case LDAP_SUCCESS: return true
        case LDAP_INVALID_CREDENTIALS, LDAP_NO_SUCH_OBJECT, LDAP_INAPPROPRIATE_AUTH, LDAP_UNWILLING_TO_PERFORM,
            LDAP_INVALID_DN_SYNTAX:
            return false
        default: throw Self.unavailable(Self.text(result))
        }
    }

    func search(_ base: String, _ scope: DirectorySettings.Scope, _ filter: String) throws -> [LDAPEntry] {
        var message: OpaquePointer?
        defer { ldap_msgfree(message) }
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        let result = ldap_search_ext_s(
            handle, base, scope == .one ? ber_int_t(LDAP_SCOPE_ONELEVEL) : ber_int_t(LDAP_SCOPE_SUBTREE), filter, nil,
            0, nil, nil, &timeout, Int32(Self.maximumEntries), &message)
        if result == LDAP_NO_SUCH_OBJECT { return [] }
        guard result == LDAP_SUCCESS else { throw Self.unavailable(Self.text(result)) }
        var entries: [LDAPEntry] = []
        var next = ldap_first_entry(handle, message)
        while let entry = next {
            entries.append(read(entry))
            next = ldap_next_entry(handle, entry)
        }
        return entries
    }

    private func read(_ entry: OpaquePointer) -> LDAPEntry {
        var found = LDAPEntry(dn: "", attributes: [:])
        if let dn = ldap_get_dn(handle, entry) {
            found.dn = String(cString: dn)
            ldap_memfree(dn)
        }
        var cursor: OpaquePointer?
        defer { ber_free(cursor, 0) }
        var next = ldap_first_attribute(handle, entry, &cursor)
        while let name = next {
            found.attributes[String(cString: name).lowercased()] = values(entry, name)
            ldap_memfree(name)
            next = ldap_next_attribute(handle, entry, cursor)
        }
        return found
    }

    /// Those that are text.
    private func values(_ entry: OpaquePointer, _ name: UnsafePointer<CChar>) -> [String] {
        guard let list = ldap_get_values_len(handle, entry, name) else { return [] }
        defer { ldap_value_free_len(list) }
        var texts: [String] = []
        // SAFETY: the list ends with a null pointer; each value has as many bytes as it says.
        var index = 0
        while let value = list[index] {
            let bytes = UnsafeRawBufferPointer(start: value.pointee.bv_val, count: Int(value.pointee.bv_len))
            if let text = String(validating: bytes, as: UTF8.self) { texts.append(text) }
            index += 1
        }
        return texts
    }

    // MARK: Failures

    private static func text(_ code: Int32) -> String { String(cString: ldap_err2string(code)) }

    static func unavailable(_ cause: String) -> CloudError {
        CloudError(.unavailable, "The directory of users cannot be asked. Please retry later.", cause: "LDAP: \(cause)")
    }
}
