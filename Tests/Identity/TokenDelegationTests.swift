// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import Testing

@testable import IdentityCore

/// Goal: a token carries what it was made with, and a delegation's rules are what they say.
/// Method: every mixture there and back; small worlds, written out.
@Suite("What tokens carry of delegations")
struct TokenDelegationTests {
    @Test("every delegation is there again", arguments: [nil, "0123456789abcdef0123456789abcdef", "odd"] as [String?])
    func payloads(id: String?) throws {
        for scope in [TokenScope.unscoped, .system, .project(ProjectID("p")), .domain(DomainID("default"))] {
            for hasTrust in [false, true] {
                let payload = TokenPayload(
                    userID: UserID("fedcba9876543210fedcba9876543210"), methods: [.oauth1, .totp], scope: scope,
                    applicationCredentialID: id.map { ApplicationCredentialID($0) },
                    trustID: hasTrust ? id.map { TrustID($0) } : nil, accessTokenID: id.map { AccessTokenID($0) },
                    issuedAt: Timestamp(microseconds: 1), expiresAt: Timestamp(microseconds: 2),
                    auditIDs: [Array(repeating: 7, count: 16)])
                #expect(TokenPayload(payload.encoded()) == payload)
                #expect(TokenPayload(Array(payload.encoded().dropLast())) == nil)
            }
        }
        #expect(AuthMethods([.oauth1, .totp]).names == ["oauth1", "totp"])
    }

    private func trust(_ named: [String], _ granted: [String]) -> Trust {
        Trust(
            id: TrustID("t"), trustorID: UserID("a"), trusteeID: UserID("b"), projectID: ProjectID("p"),
            impersonates: false, expiresAt: nil, remainingUses: nil, redelegationCount: 1, redelegatedFrom: nil,
            roleIDs: named.map { RoleID($0) }, grantedRoleIDs: granted.map { RoleID($0) })
    }

    private func effective(_ trust: Trust, _ current: [String]) -> [String]? {
        trust.effectiveRoles(ofTrustor: current.map { RoleID($0) })?.map(\.rawValue)
    }

    @Test("a trust gives what was granted as far as it is there, and nothing without what was named")
    func effectiveRoles() {
        let made = trust(["member"], ["member", "reader"])
        #expect(effective(made, ["member", "reader", "new"]) == ["member", "reader"])
        #expect(effective(made, ["member"]) == ["member"])
        #expect(effective(made, ["reader"]) == nil)
        #expect(effective(trust([], ["reader"]), ["reader"]) == nil)
    }

    @Test("a trust that is handed on keeps within the one before")
    func redelegation() throws {
        let parent = trust(["member"], ["member", "reader"])
        try parent.checkRedelegation(to: trust(["reader"], ["reader"]))
        let changes: [(inout Trust) -> Void] = [
            { $0.grantedRoleIDs.append(RoleID("admin")) }, { $0.impersonates = true },
            { $0.projectID = ProjectID("q") }, { $0.remainingUses = 1 },
        ]
        for change in changes {
            var next = parent
            change(&next)
            #expect(throws: CloudError.self) { try parent.checkRedelegation(to: next) }
        }
        var last = parent
        last.redelegationCount = 0
        #expect(throws: CloudError.self) { try last.checkRedelegation(to: parent) }
        var brief = parent
        brief.expiresAt = Timestamp(seconds: 10)
        #expect(throws: CloudError.self) { try brief.checkRedelegation(to: parent) }
    }
}
