// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import PolicyKit

/// The routes of one service, found by path segment. Literal segments win over `{name}`, which wins over `{name*}`.
struct RouteTrie: Sendable {
    private struct Node: Sendable {
        var literals: [String: Int] = [:]
        var parameter: (name: String, node: Int)?
        var rest: (name: String, node: Int)?
        var routes: [HTTPMethod: [Route]] = [:]
    }

    struct Match {
        var routes: [HTTPMethod: [Route]]
        var parameters: [String: String]
    }

    private var nodes = [Node()]

    init(_ routes: [Route]) {
        for route in routes { insert(route) }
    }

    private mutating func insert(_ route: Route) {
        var position = 0
        for segment in route.path.split(separator: "/") {
            position = child(of: position, named: String(segment), route: route)
        }
        nodes[position].routes[route.method, default: []].append(route)
    }

    private mutating func child(of position: Int, named segment: String, route: Route) -> Int {
        guard segment.hasPrefix("{") else {
            if let next = nodes[position].literals[segment] { return next }
            nodes.append(Node())
            nodes[position].literals[segment] = nodes.count - 1
            return nodes.count - 1
        }
        let name = String(segment.dropFirst().dropLast())
        if name.hasSuffix("*") {
            if let rest = nodes[position].rest { return rest.node }
            nodes.append(Node())
            nodes[position].rest = (String(name.dropLast()), nodes.count - 1)
            return nodes.count - 1
        }
        if let parameter = nodes[position].parameter {
            precondition(
                parameter.name == name, "\(route.path) calls a segment {\(name)} that others call {\(parameter.name)}")
            return parameter.node
        }
        nodes.append(Node())
        nodes[position].parameter = (name, nodes.count - 1)
        return nodes.count - 1
    }

    /// `segments` are decoded.
    func match(_ segments: [String]) -> Match? {
        var parameters: [String: String] = [:]
        guard let node = find(segments[...], from: 0, &parameters) else { return nil }
        return Match(routes: nodes[node].routes, parameters: parameters)
    }

    private func find(_ segments: ArraySlice<String>, from position: Int, _ parameters: inout [String: String]) -> Int?
    {
        let node = nodes[position]
        guard let segment = segments.first else { return node.routes.isEmpty ? nil : position }
        if let next = node.literals[segment], let found = find(segments.dropFirst(), from: next, &parameters) {
            return found
        }
        if let parameter = node.parameter, !segment.isEmpty,
            let found = find(segments.dropFirst(), from: parameter.node, &parameters)
        {
            parameters[parameter.name] = segment
            return found
        }
        if let rest = node.rest, !nodes[rest.node].routes.isEmpty {
            parameters[rest.name] = segments.joined(separator: "/")
            return rest.node
        }
        return nil
    }
}
