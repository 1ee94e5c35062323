// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PolicyKit

/// Who calls: a role, in one of the places that a token can be of.
struct Persona: Hashable, Sendable, CustomStringConvertible {
    /// In the order of the pictures in `UpstreamRules`.
    enum Place: String, CaseIterable {
        /// The project that the things are of, and another of the same domain.
        case own, other
        /// The domain of both, and another.
        case domain, otherDomain
        case system
        /// A token of nothing, of a user without any role.
        case nowhere
    }

    let place: Place
    /// Empty: none.
    let role: String

    static let roles = ["admin", "manager", "member", "reader", "service"]
    static let all: [Persona] = Place.allCases.flatMap { place in
        place == .nowhere ? [Persona(place: place, role: "")] : roles.map { Persona(place: place, role: $0) }
    }

    var description: String { place == .nowhere ? "nobody" : "\(role) of \(place)" }
    var isOfOwnProject: Bool { place == .own }
    var hasProject: Bool { place == .own || place == .other }

    /// Each implies the next.
    private static let chain = ["admin", "manager", "member", "reader"]

    /// The role and all that it implies.
    private var effective: [String] {
        Self.chain.firstIndex(of: role).map { Array(Self.chain[$0...]) } ?? [role].filter { !$0.isEmpty }
    }

    /// In the same place with the role that this one implies, or that implies this one.
    func next(weaker: Bool) -> Persona? {
        guard let index = Self.chain.firstIndex(of: role) else { return nil }
        let other = index + (weaker ? 1 : -1)
        return Self.chain.indices.contains(other) ? Persona(place: place, role: Self.chain[other]) : nil
    }

    // MARK: Without a cloud

    static let ownProject: ProjectID = "own-project"
    static let homeDomain = Principal.Named(id: "home", name: "home")
    /// Whom the things belong to: the own project's member.
    static let owner = Persona(place: .own, role: "member")
    /// Whom the owner trusts: the own project's reader.
    static let trustee = Persona(place: .own, role: "reader")

    var userID: UserID { UserID("\(place)-\(role)") }
    var projectID: ProjectID? { place == .own ? Self.ownProject : place == .other ? "other-project" : nil }
    var domainID: DomainID? {
        place == .domain ? DomainID(Self.homeDomain.id) : place == .otherDomain ? "elsewhere" : nil
    }

    /// As a token of theirs says.
    var principal: Principal {
        let scope: Principal.Scope =
            switch place {
            case .own, .other:
                .project(projectID ?? Self.ownProject, name: place.rawValue, domain: Self.homeDomain)
            case .domain, .otherDomain: .domain(domainID ?? "none", name: place.rawValue)
            case .system: .system
            case .nowhere: .unscoped
            }
        return Principal(
            userID: userID, userName: description, userDomain: Self.homeDomain, scope: scope,
            roles: effective.map { Principal.Named(id: $0, name: $0) })
    }
}
