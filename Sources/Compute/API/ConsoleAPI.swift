// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit
import TaskKit

/// The consoles of servers on the cloud's own origin: noVNC's page and the WebSocket behind it. A token in the address
/// is all the right there is, as upstream has it.
package struct ConsoleAPI: ServiceAPI {
    package let serviceType = "console"
    package let prefix = "/console"
    package let routes: RouteTable
    package let enforcer: PolicyEnforcer
    package let versioning: Versioning? = nil

    /// `novnc`: where the package of that name keeps its files.
    package init(
        _ parts: ComputeParts, sagas: SagaRunner, origin: String, novnc: String = "/usr/share/novnc"
    ) throws {
        let consoles = ConsoleTokenEngine(ServerEngine(parts, sagas: sagas), origin: origin)
        enforcer = try PolicyEnforcer([])
        var table = RouteTable()
        ConsoleRoutes(consoles: consoles, pages: ConsolePages(root: novnc)).register(on: &table)
        routes = table
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        // No body: a client that asked for a WebSocket would take it for the console's first bytes.
        HTTPResponse(status: status, headers: ["Connection": "close"])
    }
}
