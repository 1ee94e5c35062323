// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import IdentityContract
import IdentityCore

/// Reads `{"auth": {"identity": …, "scope": …}}` (keystone: `auth/schema.py`).
enum AuthWire {
    private static let maximumMethods = 8
    private static let length = 0...4096

    /// A request may itself be signed, and may bring a receipt of an earlier one.
    static func read(_ request: APIRequest) async throws -> AuthRequest {
        let body = try await request.json()
        var auth = try ObjectReader.envelope("auth", in: body, allowsUnknown: true)
        guard var identity = try auth.object("identity", allowsUnknown: true) else { throw auth.missing("identity") }
        guard let names = try identity.strings("methods", 0...maximumMethods) else { throw identity.missing("methods") }
        var seen = Set<String>()
        let methods = try names.filter { seen.insert($0).inserted }.map { try method($0, &identity, request) }
        let scope = try scope(&auth)
        guard !methods.isEmpty else {
            throw CloudError(.unauthorized, "The request you have made requires authentication.")
        }
        if names.contains("application_credential"), scope != nil {
            throw CloudError(
                .unauthorized,
                "Error authenticating with application credential: Application credentials cannot request a scope.")
        }
        return AuthRequest(
            methods: methods, scope: scope, receipt: request.http.headers[AuthReceiptWire.header])
    }

    // MARK: Methods

    private static func method(_ name: String, _ identity: inout ObjectReader, _ request: APIRequest) throws
        -> AuthRequest.Method
    {
        guard AuthMethods.knownNames.contains(name) || name == "saml2" || name == "openid" else {
            throw CloudError(.unauthorized, "Attempted to authenticate with an unsupported method.")
        }
        guard var data = try identity.object(name, allowsUnknown: true) else {
            throw expecting(name, in: "identity")
        }
        switch name {
        // A federated token is made into another one by whichever name its client knows.
        case "token", "mapped", "saml2", "openid": return .token(try data.requiredString("id", length))
        case "oauth1": return .oauth1(try OAuth1Proof(request))
        case "totp":
            guard var user = try data.object("user", allowsUnknown: true) else { throw expecting("user", in: "totp") }
            guard let passcode = try user.string("passcode", length) else { throw expecting("passcode", in: "user") }
            return .totp(try self.user(&user), passcode: Secret(passcode))
        case "password":
            guard var user = try data.object("user", allowsUnknown: true) else {
                throw expecting("user", in: "password")
            }
            guard let password = try user.string("password", length) else { throw expecting("password", in: "user") }
            return .password(try self.user(&user), Secret(password))
        default:
            guard let secret = try data.string("secret", length) else {
                throw expecting("secret", in: "application_credential")
            }
            if let id = try data.string("id", length) { return .applicationCredential(.id(ID(id)), Secret(secret)) }
            guard let name = try data.string("name", length) else {
                throw expecting("name or ID", in: "application credential")
            }
            guard var user = try data.object("user", allowsUnknown: true) else {
                throw expecting("user", in: "application credential")
            }
            return .applicationCredential(.name(name, try self.user(&user)), Secret(secret))
        }
    }

    private static func user(_ user: inout ObjectReader) throws -> AuthRequest.UserReference {
        let (id, name) = (try user.string("id", length), try user.string("name", length))
        if let id { return .id(ID(id)) }
        guard let name else { throw expecting("id or name", in: "user") }
        guard let domain = try domain(&user) else { throw expecting("domain", in: "user") }
        return .name(name, domain)
    }

    private static func domain(_ holder: inout ObjectReader) throws -> AuthRequest.DomainReference? {
        guard var domain = try holder.object("domain", allowsUnknown: true) else { return nil }
        return try reference(&domain)
    }

    /// The name wins over the id, as upstream has it.
    private static func reference(_ domain: inout ObjectReader) throws -> AuthRequest.DomainReference {
        let (id, name) = (try domain.string("id", length), try domain.string("name", length))
        if let name, !name.isEmpty { return .name(name) }
        guard let id else { throw expecting("id or name", in: "domain") }
        return .id(ID(id))
    }

    // MARK: Scope

    private static func scope(_ auth: inout ObjectReader) throws -> AuthRequest.Scope? {
        guard let value = auth.value("scope") else { return nil }
        if case .string(let word) = value {
            guard word == "unscoped" else { throw wrongScope }
            return .unscoped
        }
        var scope = try ObjectReader(value, path: "auth.scope", allowsUnknown: true)
        let kinds = ["system", "project", "domain", "unscoped", "OS-TRUST:trust"].filter { scope.has($0) }
        guard kinds.count == 1, let kind = kinds.first else { throw wrongScope }
        switch kind {
        case "unscoped": return .unscoped
        case "system":
            guard var system = try scope.object("system", allowsUnknown: true), try system.looseBool("all") == true
            else {
                throw wrongScope
            }
            return .system
        case "domain":
            guard let domain = try domain(&scope) else { throw wrongScope }
            return .domain(domain)
        case "project":
            guard var project = try scope.object("project", allowsUnknown: true) else { throw wrongScope }
            let (id, name) = (try project.string("id", length), try project.string("name", length))
            if let name, !name.isEmpty {
                guard let domain = try domain(&project) else { throw expecting("domain", in: "project") }
                return .project(.name(name, domain))
            }
            guard let id else { throw expecting("id or name", in: "project") }
            return .project(.id(ID(id)))
        default:
            guard var trust = try scope.object("OS-TRUST:trust", allowsUnknown: true),
                let id = try trust.string("id", length), !id.isEmpty
            else { throw expecting("trust_id", in: "trust") }
            return .trust(ID(id))
        }
    }

    private static var wrongScope: CloudError {
        expecting("system, project, domain, OS-TRUST:trust or unscoped", in: "scope")
    }

    private static func expecting(_ attribute: String, in target: String) -> CloudError {
        .badRequest(
            "Expecting to find \(attribute) in \(target). The server could not comply with the request since it is "
                + "either malformed or otherwise incorrect. The client is assumed to be in error.")
    }
}
