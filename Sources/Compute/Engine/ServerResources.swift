// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import PlacementContract

extension ResourceRequest {
    /// What a server of this flavor asks placement for. `imageBytes` stands in for a root disk of size 0.
    init(
        _ flavor: FlavorSnapshot, _ extraSpecs: [String: String], imageProperties: [String: String], imageBytes: Int64,
        isVolumeBacked: Bool
    ) {
        let imageGiB = Int((imageBytes + (1 << 30) - 1) >> 30)
        self.init(resources: flavor.resources(imageGiB: imageGiB, hasRootDisk: !isVolumeBacked))
        for (name, value) in extraSpecs {
            if name.hasPrefix("trait:") {
                let trait = String(name.dropFirst("trait:".count))
                if value == "required" { requiredTraits.append(trait) }
                if value == "forbidden" { forbiddenTraits.append(trait) }
            } else if name.hasPrefix("resources:"), let amount = Int64(value), amount >= 0 {
                resources[String(name.dropFirst("resources:".count))] = amount == 0 ? nil : amount
            }
        }
        // nova: `traits_required`. An image forbids nothing.
        for (name, value) in imageProperties where name.hasPrefix("trait:") && value == "required" {
            requiredTraits.append(String(name.dropFirst("trait:".count)))
        }
        requiredTraits = Set(requiredTraits).sorted()
        forbiddenTraits.sort()
    }
}

extension HostRequest {
    /// What a server that lives already may move to; its hints and its zone still hold.
    init(
        moving server: Server, _ extraSpecs: [String: String], imageProperties: [String: String], group: ServerGroupID?,
        allowsQueries: Bool
    )
        throws
    {
        self.init()
        self.imageProperties = imageProperties
        self.extraSpecs = extraSpecs
        zone = server.pinnedZone
        groupID = group
        moving = server.id
        let hints = try JSONReader.read(server.schedulerHints)
        sameHostAs = Self.servers(hints["same_host"])
        differentHostFrom = Self.servers(hints["different_host"])
        if allowsQueries, let query = hints["query"], !query.isNull { self.query = query.string ?? query.text() }
    }

    private static func servers(_ json: JSON?) -> [ServerID] {
        switch json {
        case .string(let text)?: [ServerID(text)]
        case .array(let elements)?: elements.compactMap(\.string).map { ServerID($0) }
        default: []
        }
    }
}
