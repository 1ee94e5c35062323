// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Prefixes under one name, so that rules of many security groups change with it.
package struct AddressGroup: Sendable, Equatable {
    package var id: AddressGroupID
    package var project: ProjectID
    package var name: String
    package var addresses: [CIDR]
    package var isShared: Bool
    package var standard: StandardAttributes
}

/// What a caller gives to create or change an address group. Nil: not given.
package struct AddressGroupDraft: Sendable {
    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var addresses: [CIDR]?
    package var given: [String] = []

    package init() {}
}

/// Rules for the addresses of a group (upstream: `address_group_db.py`). Pure.
package enum AddressGroupEdit {
    /// All of `new` besides `old`. Throws when one is there already.
    package static func adding(_ new: [CIDR], to old: [CIDR], of id: AddressGroupID) throws -> [CIDR] {
        let new = unique(new)
        let present = new.filter(old.contains)
        guard present.isEmpty else {
            throw CloudError.badRequest(
                "Addresses \(list(present)) already exist in the address group \(id).", kind: "AddressesAlreadyExist")
        }
        return old + new
    }

    /// `old` without `gone`. Throws when one is not there.
    package static func removing(_ gone: [CIDR], from old: [CIDR], of id: AddressGroupID) throws -> [CIDR] {
        let absent = unique(gone).filter { !old.contains($0) }
        guard absent.isEmpty else {
            throw CloudError.notFound(
                "Addresses \(list(absent)) not found in the address group \(id).", kind: "AddressesNotFound")
        }
        return old.filter { !gone.contains($0) }
    }

    private static func unique(_ addresses: [CIDR]) -> [CIDR] {
        var seen: Set<CIDR> = []
        return addresses.filter { seen.insert($0).inserted }
    }

    private static func list(_ addresses: [CIDR]) -> String {
        "[" + addresses.map { "'\($0)'" }.joined(separator: ", ") + "]"
    }
}
