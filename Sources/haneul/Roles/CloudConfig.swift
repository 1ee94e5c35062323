// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit
import HTTPServer
import LogKit

/// Options of the whole process.
package struct CloudConfig: ConfigSection {
    package static let section = ""
    package static let title = "The cloud"

    @ConfigOption(
        "The address under which users reach the cloud: in every link and in the catalog. When unset, "
            + "http://127.0.0.1 with the port of the API.",
        bounds: "http:// or https://, a host, and no path", check: { $0.map(isOrigin) ?? true })
    package var publicURL: String? = nil
    @ConfigOption("Lines of the log below this level are dropped.")
    package var logLevel = LogLevel.info
    @ConfigOption("Where the operator's policy files are. When unset, the folder policy of the state directory.")
    package var policyDirectory: String?

    package init() {}

    private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return false }
        let host = text.dropFirst(scheme.count)
        return (1...255).contains(host.utf8.count)
            && host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: ".-:[]".utf8.contains(byte)
                }
            }
    }
}

extension LogLevel: ConfigValue {
    package static var kind: String { "one of " + allCases.map(\.configText).joined(separator: ", ") }
    package static func parse(_ text: String) -> LogLevel? { allCases.first { $0.configText == text } }
    package var configText: String { "\(self)" }
}

/// What an operator may set of `HTTPLimits`, which stays a plain structure because every request reads it.
package struct HTTPConfig: ConfigSection {
    package static let section = "http"
    package static let title = "HTTP: what one caller may cost"

    @ConfigOption("Connections at once, of all callers.", range: 16...65_536)
    package var connections = HTTPLimits().connections
    @ConfigOption("Requests at once, of all callers.", range: 1...65_536)
    package var requests = HTTPLimits().requests
    @ConfigOption("Bytes of a request's line and header together.", range: 4096...(1 << 20))
    package var headerBytes = HTTPLimits().headerBytes
    @ConfigOption("Bytes of a request's address.", range: 256...(1 << 20))
    package var urlBytes = HTTPLimits().urlBytes
    @ConfigOption("A connection on which nothing moves for so long is closed.", range: .seconds(1)...(.seconds(3600)))
    package var idleTime = HTTPLimits().idleTime
    @ConfigOption("How long a request's header may take.", range: .seconds(1)...(.seconds(600)))
    package var headerTime = HTTPLimits().headerTime
    @ConfigOption(
        "A body that is awaited must bring body-progress-bytes in each of these spans.",
        range: .seconds(1)...(.seconds(600)))
    package var bodyProgressTime = HTTPLimits().bodyProgressTime
    @ConfigOption("See body-progress-time.", range: 0...(1 << 20))
    package var bodyProgressBytes = HTTPLimits().bodyProgressBytes
    @ConfigOption("How long requests that run at the stop have to end.", range: .zero...(.seconds(600)))
    package var stopTime = HTTPLimits().stopTime
    @ConfigOption("Event threads of the server. When unset, one for each processor, up to 4.", range: 1...64)
    package var threads: Int?

    package init() {}

    package var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.connections = connections
        limits.requests = requests
        limits.headerBytes = headerBytes
        limits.urlBytes = urlBytes
        limits.idleTime = idleTime
        limits.headerTime = headerTime
        limits.bodyProgressTime = bodyProgressTime
        limits.bodyProgressBytes = bodyProgressBytes
        limits.stopTime = stopTime
        limits.threads = threads
        return limits
    }
}
