// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import Testing

@testable import IdentityCore

/// Goal: the pure rules of Identity hold.
/// Method: small worlds, written out.
@Suite("Roles that imply roles")
struct RoleGraphTests {
    private let chain = RoleGraph([
        (RoleID("admin"), RoleID("manager")), (RoleID("manager"), RoleID("member")),
        (RoleID("member"), RoleID("reader")),
    ])

    @Test("a role brings all below it, once")
    func closure() {
        #expect(chain.closure(of: [RoleID("admin")]).map(\.rawValue) == ["admin", "manager", "member", "reader"])
        #expect(chain.closure(of: [RoleID("member"), RoleID("reader")]).map(\.rawValue) == ["member", "reader"])
        #expect(chain.closure(of: []).isEmpty)
    }

    @Test("a ring ends")
    func ring() {
        let ring = RoleGraph([(RoleID("a"), RoleID("b")), (RoleID("b"), RoleID("a"))])
        #expect(ring.closure(of: [RoleID("a")]).map(\.rawValue) == ["a", "b"])
        #expect(ring.impliedPairs(under: RoleID("a")).count == 1)
    }
}

@Suite("Assignments come out for each user")
struct AssignmentExpansionTests {
    private let group = GroupID("g")
    private let alice = UserID("alice")
    private let bob = UserID("bob")
    private let top = ProjectID("top")
    private let sub = ProjectID("sub")
    private let domain = DomainID("d")

    private var expansion: AssignmentExpansion {
        AssignmentExpansion(
            members: [group: [alice, bob]],
            projectsBelow: [.domain(domain): [top, sub], .project(top): [sub]],
            graph: RoleGraph([(RoleID("member"), RoleID("reader")), (RoleID("local"), RoleID("reader"))]),
            domainRoles: [RoleID("local")])
    }

    @Test("members stand for their group")
    func groups() {
        let found = expansion.expand([Assignment(.group(group), .project(top), RoleID("reader"))])
        #expect(found.map(\.assignment.actor) == [.user(alice), .user(bob)])
        #expect(found.allSatisfy { $0.viaGroup == group && $0.impliedBy == nil })
    }

    @Test("an inherited role counts below its target and not on it")
    func inheritance() {
        let found = expansion.expand([Assignment(.user(alice), .project(top), RoleID("reader"), isInherited: true)])
        #expect(found.map(\.assignment.target) == [.project(sub)])
        #expect(found.map(\.inheritedFrom) == [.project(top)])
        let wide = expansion.expand([Assignment(.user(alice), .domain(domain), RoleID("reader"), isInherited: true)])
        #expect(wide.map(\.assignment.target) == [.project(top), .project(sub)])
    }

    @Test("implied roles name the role that implies them")
    func implied() {
        let found = expansion.expand([Assignment(.user(alice), .system, RoleID("member"))])
        #expect(found.map(\.assignment.roleID.rawValue) == ["member", "reader"])
        #expect(found.map(\.impliedBy) == [nil, RoleID("member")])
    }

    @Test("a domain's own role shows only as what it implies")
    func domainRoles() {
        let found = expansion.expand([Assignment(.user(alice), .project(top), RoleID("local"))])
        #expect(found.map(\.assignment.roleID.rawValue) == ["reader"])
    }

    @Test("what comes out twice is there once")
    func duplicates() {
        let one = Assignment(.user(alice), .project(top), RoleID("reader"))
        #expect(expansion.expand([one, one]).count == 1)
    }
}

@Suite("Endpoint addresses")
struct EndpointURLTests {
    @Test(
        "what is filled in",
        arguments: [
            ("{origin}/compute/v2.1", "https://c/compute/v2.1"),
            ("http://x:1/v1/AUTH_$(project_id)s", "http://x:1/v1/AUTH_p"),
            ("http://x/%(tenant_id)s/$(user_id)s", "http://x/p/u"), ("http://x/{origin}", "http://x/{origin}"),
        ])
    func resolve(_ template: String, _ expected: String) throws {
        let url = try EndpointURL(template)
        #expect(url.resolved(origin: "https://c", projectID: ProjectID("p"), userID: UserID("u")) == expected)
    }

    @Test("an address for a project needs a project")
    func withoutProject() throws {
        #expect(try EndpointURL("http://x/$(project_id)s").resolved(origin: "o", projectID: nil, userID: nil) == nil)
    }

    @Test(
        "what is no address",
        arguments: ["", "nowhere", "http:", "http://x/$(secret)s", "http://x/$(project_id", "http://a b"])
    func invalid(_ text: String) {
        #expect(throws: CloudError.self) { _ = try EndpointURL(text) }
    }
}

@Suite("Token payload")
struct TokenPayloadTests {
    private static let hex = "0123456789abcdef0123456789abcdef"

    @Test(
        "goes there and back",
        arguments: [
            TokenScope.unscoped, .system, .project(ProjectID(hex)), .domain(DomainID("default")),
        ])
    func roundTrip(_ scope: TokenScope) {
        for credential in [nil, ApplicationCredentialID(Self.hex)] {
            let payload = TokenPayload(
                userID: UserID("ldap|somebody"), methods: [.password, .token], scope: scope,
                applicationCredentialID: credential, issuedAt: Timestamp(microseconds: 1_800_000_000_123_456),
                expiresAt: Timestamp(seconds: 1_800_003_600),
                auditIDs: [[UInt8](repeating: 1, count: 16), [UInt8](repeating: 2, count: 16)])
            #expect(TokenPayload(payload.encoded()) == payload)
        }
    }

    @Test("a cut or longer payload is none")
    func strictness() {
        let bytes = TokenPayload(
            userID: UserID(Self.hex), methods: .password, scope: .project(ProjectID(Self.hex)),
            issuedAt: Timestamp(seconds: 1), expiresAt: Timestamp(seconds: 2),
            auditIDs: [[UInt8](repeating: 1, count: 16)]
        ).encoded()
        for count in 0..<bytes.count { #expect(TokenPayload(Array(bytes[..<count])) == nil) }
        #expect(TokenPayload(bytes + [0]) == nil)
    }
}

@Suite("Application credentials delegate")
struct DelegationTests {
    /// Goal: whatever is given and taken, a credential never has more than it was made with or its user has.
    /// Method: every pair of subsets of four roles.
    @Test("rights are those given, as long as the user has them")
    func delegation() {
        let roles = (0..<4).map { RoleID("r\($0)") }
        func subset(_ bits: Int) -> [RoleID] { roles.indices.filter { bits & 1 << $0 != 0 }.map { roles[$0] } }
        for given in 0..<16 {
            let credential = ApplicationCredential(
                id: ApplicationCredentialID("c"), userID: UserID("u"), projectID: ProjectID("p"), name: "n",
                isUnrestricted: false, roleIDs: subset(given), accessRules: [])
            for now in 0..<16 {
                let effective = Set(credential.effectiveRoles(ofUser: subset(now)))
                #expect(effective == Set(subset(given)).intersection(subset(now)))
            }
        }
    }

    @Test(
        "an access rule permits its own calls",
        arguments: [
            ("/v2.1/servers", "/v2.1/servers", true), ("/v2.1/servers", "/v2.1/servers/x", false),
            ("/v2.1/servers/{id}", "/v2.1/servers/x", true), ("/v2.1/servers/*", "/v2.1/servers/x/action", false),
            ("/v2.1/**", "/v2.1/servers/x/action", true), ("/**", "/v2.1", true),
            ("/v2.1/**/action", "/v2.1/a/b/action", true), ("/**/a/**/b", "/x/a/y/a/z/b", true),
            ("/**/a/**/b", "/x/a/y/a/z", false), ("/v2.1/**", "/v2.1", true), ("/a/**/a", "/a", false),
        ])
    func accessRules(_ pattern: String, _ path: String, _ expected: Bool) {
        let rule = AccessRule(service: "compute", method: "GET", path: pattern)
        let segments = path.split(separator: "/").map(String.init)
        #expect(rule.permits(service: "compute", method: "GET", paths: [segments]) == expected)
        #expect(!rule.permits(service: "compute", method: "POST", paths: [segments]))
        #expect(!rule.permits(service: "network", method: "GET", paths: [segments]))
    }

    @Test("a hostile access rule costs no more than pattern times path")
    func hostileAccessRule() {
        let rule = AccessRule(
            service: "compute", method: "GET", path: String(repeating: "/**/a", count: 400) + "/end")
        let segments = Array(repeating: "a", count: 2000)
        #expect(!rule.permits(service: "compute", method: "GET", paths: [segments]))
    }
}
