// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Routers: made, listed, changed and removed. Their gateway and their interfaces have files of their own.
package struct RouterEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [Router] {
        let viewer = context.viewer("get_router")
        return try await environment.read {
            let found = try RouterStore.list(query, for: viewer, $0)
            guard query.fields?.isDisjoint(with: ["conntrack_helpers", "external_gateways"]) != true else {
                return found
            }
            return try Self.filled(found, $0)
        }
    }

    package func get(_ id: RouterID, for context: CallContext) async throws -> Router {
        let router = try await environment.read { transaction in
            try Self.filled(RouterStore.find(id, transaction).map { [$0] } ?? [], transaction).first
        }
        guard let router else { throw NetworkFault.routerNotFound(id) }
        try context.authorizeSight(
            "get_router", PolicyTarget(project: router.project), missing: NetworkFault.routerNotFound(id))
        return router
    }

    /// Whether routers of this data plane look into protocols.
    package var hasConntrackHelpers: Bool { environment.driver.capabilities.hasConntrackHelpers }

    /// With what other tables say of them.
    static func filled(_ found: [Router], _ transaction: any Transaction) throws -> [Router] {
        var routers = found
        if try transaction.exists("SELECT 1 FROM conntrack_helpers LIMIT 1") {
            let helpers = try ConntrackHelperStore.all(of: routers.map(\.id), transaction)
            for index in routers.indices { routers[index].conntrackHelpers = helpers[routers[index].id] ?? [] }
        }
        if try ExtraGatewayStore.exist(transaction) {
            let gateways = try ExtraGatewayStore.all(of: routers.map(\.id), transaction)
            for index in routers.indices { routers[index].extraGateways = gateways[routers[index].id] ?? [] }
        }
        return routers
    }

    // MARK: Create

    package func create(_ drafts: [RouterDraft], for context: CallContext) async throws -> [Router] {
        try await environment.write { change in
            try drafts.map { draft in
                let project = try context.projectForNew(draft.project)
                let target = PolicyTarget(project: project)
                try context.authorizeCreation("create_router", target)
                try context.authorizeAttributes("create_router", draft.given, target)
                return try Self.insert(draft, project: project, for: context, change)
            }
        }
    }

    /// `context` nil: the cloud itself asks.
    static func insert(_ draft: RouterDraft, project: ProjectID, for context: CallContext?, _ change: NetworkChange)
        throws
        -> Router
    {
        try change.checkQuota(.router, project)
        try change.checkZones(draft.zoneHints)
        try checkAvailability(draft)
        if let flavor = draft.flavor { try NetworkFlavorEngine.checkRouter(flavor, for: context, change) }
        var router = Router(
            id: change.newID(), project: project, name: draft.name ?? "", isEnabled: draft.isEnabled ?? true,
            gatewayNetwork: nil, gatewayPort: nil, usesSNAT: true, routesJSON: "[]", flavor: draft.flavor,
            zoneHints: JSONList.encode(draft.zoneHints ?? []), gatewayAddressesJSON: "[]",
            standard: change.standard(draft.description, draft.tags),
            spreadsDefaultRoute: draft.spreadsDefaultRoute ?? false,
            watchesDefaultRoute: draft.watchesDefaultRoute ?? false)
        try RouterStore.insert(router, change.transaction)
        if let gateway = draft.gateway.flatMap({ $0 }) {
            try RouterGateway.set(gateway, on: &router, for: context, change)
            try RouterStore.update(router, change.transaction)
        }
        change.mark(.router(router.id))
        return try reload(router.id, change)
    }

    // MARK: Update

    package func update(_ id: RouterID, _ draft: RouterDraft, ifMatch: Int? = nil, for context: CallContext)
        async throws
        -> Router
    {
        try await environment.write { change in
            let old = try Self.authorized(id, "update_router", for: context, change)
            try context.authorizeAttributes("update_router", draft.given, PolicyTarget(project: old.project))
            try old.standard.check(ifMatch)
            try Self.checkAvailability(draft)
            var router = old
            router.name = draft.name ?? old.name
            router.isEnabled = draft.isEnabled ?? old.isEnabled
            router.standard.apply(description: draft.description, tags: draft.tags)
            router.spreadsDefaultRoute = draft.spreadsDefaultRoute ?? old.spreadsDefaultRoute
            router.watchesDefaultRoute = draft.watchesDefaultRoute ?? old.watchesDefaultRoute
            if let gateway = draft.gateway {
                if let gateway {
                    try RouterGateway.set(gateway, on: &router, for: context, change)
                } else {
                    try RouterGateway.clear(&router, change)
                    try ExtraGateways.promote(&router, change)
                }
            }
            if let routes = draft.routes { try Self.setRoutes(routes, on: &router, change) }
            return try Self.save(router, change)
        }
    }

    // neutron: with OVN every router is highly available, and none can be otherwise (ovn_l3_hamode_db.py).
    private static func checkAvailability(_ draft: RouterDraft) throws {
        guard draft.isHighlyAvailable == false else { return }
        throw NetworkFault.invalidInput("The data plane has no routers that are not highly available")
    }

    static func authorized(
        _ id: RouterID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> Router {
        guard let router = try RouterStore.find(id, change.transaction) else { throw NetworkFault.routerNotFound(id) }
        try context.authorizeChange(
            rule, seenBy: "get_router", PolicyTarget(project: router.project), missing: NetworkFault.routerNotFound(id))
        return router
    }

    static func save(_ changed: Router, _ change: NetworkChange) throws -> Router {
        var router = changed
        router.standard.touch(change)
        try RouterStore.update(router, change.transaction)
        change.mark(.router(router.id))
        return try reload(router.id, change)
    }

    private static func reload(_ id: RouterID, _ change: NetworkChange) throws -> Router {
        let found = try RouterStore.find(id, change.transaction).map { [$0] } ?? []
        guard let router = try filled(found, change.transaction).first else { throw NetworkFault.routerNotFound(id) }
        return router
    }

    // MARK: Extra routes

    package func addRoutes(
        _ routes: [Router.Route], to id: RouterID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> Router {
        try await changeRoutes(of: id, "add_extraroutes", ifMatch, for: context) { old in
            old + routes.filter { !old.contains($0) }
        }
    }

    package func removeRoutes(
        _ routes: [Router.Route], from id: RouterID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> Router {
        try await changeRoutes(of: id, "remove_extraroutes", ifMatch, for: context) { old in
            old.filter { !routes.contains($0) }
        }
    }

    private func changeRoutes(
        of id: RouterID, _ rule: PolicyName, _ ifMatch: Int?, for context: CallContext,
        _ body: @escaping @Sendable ([Router.Route]) -> [Router.Route]
    ) async throws -> Router {
        try await environment.write { change in
            var router = try Self.authorized(id, rule, for: context, change)
            try router.standard.check(ifMatch)
            try Self.setRoutes(body(router.routes), on: &router, change)
            return try Self.save(router, change)
        }
    }

    /// Each next hop must be a neighbour: in a subnet of the router's, and not the router itself.
    private static func setRoutes(_ given: [Router.Route], on router: inout Router, _ change: NetworkChange) throws {
        func invalid(_ reason: String) -> CloudError {
            .badRequest("Invalid format for routes: \(Router.encode(given)), \(reason)", kind: "InvalidRoutes")
        }
        guard given.count <= change.config.maximum.routes else {
            throw CloudError.badRequest(
                "Unable to complete operation for \(router.id). The number of routes exceeds the maximum "
                    + "\(change.config.maximum.routes).", kind: "RoutesExhausted")
        }
        let addresses = try RouterStore.ports(of: router.id, change.transaction).flatMap { try $0.fixedIPs }
        let cidrs = try SubnetStore.all(addresses.map(\.subnet), change.transaction).values.map(\.cidr)
        var routes: [Router.Route] = []
        for route in given {
            guard let destination = CIDR(route.destination), let hop = IPAddress(route.nextHop),
                destination.isIPv6 == hop.isIPv6
            else { throw invalid("the destination or the nexthop is not valid") }
            guard cidrs.contains(where: { $0.contains(hop) }) else {
                throw invalid("the nexthop is not connected with router")
            }
            guard !addresses.contains(where: { $0.address == hop }) else {
                throw invalid("the nexthop is used by router")
            }
            let canonical = Router.Route(destination: destination.description, nextHop: hop.description)
            guard !routes.contains(canonical) else { throw invalid("a route is given twice") }
            routes.append(canonical)
        }
        router.routesJSON = Router.encode(routes)
    }

    // MARK: Delete

    package func delete(_ id: RouterID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let router = try Self.authorized(id, "delete_router", for: context, change)
            try router.standard.check(ifMatch)
            try Self.remove(router, change)
        }
    }

    /// Takes the gateway along; an interface keeps the router.
    static func remove(_ old: Router, _ change: NetworkChange) throws {
        var router = old
        let ports = try RouterStore.ports(of: router.id, change.transaction)
        guard ports.allSatisfy({ $0.deviceOwner == DeviceOwner.routerGateway }) else {
            throw NetworkFault.routerInUse(router.id, "still has ports")
        }
        try ExtraGateways.removeAll(of: &router, change)
        try RouterStore.delete(router.id, change.transaction)
        change.mark(.router(router.id))
    }
}
