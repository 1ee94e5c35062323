// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Testing

/// Rules of QoS policies: the kind, what it says, and whether it can be named without its policy.
private let rules: [(kind: String, fields: [String: JSON], hasAlias: Bool)] = [
    ("bandwidth_limit", ["max_kbps": 1000, "max_burst_kbps": 800, "direction": "egress"], true),
    ("dscp_marking", ["dscp_mark": 26], true),
    ("minimum_bandwidth", ["min_kbps": 10, "direction": "egress"], true),
    ("minimum_packet_rate", ["min_kpps": 10, "direction": "egress"], true),
    ("packet_rate_limit", ["max_kpps": 10, "max_burst_kpps": 5, "direction": "egress"], false),
]

private func dashed(_ text: String) -> String { String(text.map { $0 == "_" ? "-" : $0 }) }

extension Estate {
    /// Quality of service, trunks, forwarded ports, helpers and labels: A's, or made for A by the administrator.
    mutating func fillNetworkServices() async throws {
        try await fillQoS()
        let (a, v2) = (cloud.a.member, "/network/v2.0")
        let network = JSON.string(self["\(v2)/networks/{id}"])
        var ports: [String] = []
        for name in ["alpha-parent", "alpha-child", "alpha-inside"] {
            ports.append(
                try await cloud.make("\(v2)/ports", "port", ["name": .string(name), "network_id": network], a))
        }
        let trunk = try await cloud.make(
            "\(v2)/trunks", "trunk",
            [
                "name": "alpha-trunk", "port_id": .string(ports[0]),
                "sub_ports": [["port_id": .string(ports[1]), "segmentation_type": "vlan", "segmentation_id": 7]],
            ], a)
        own("\(v2)/trunks/{id}", trunk)
        others["subport"] = ports[1]
        try await cloud.call(.put, "\(v2)/trunks/\(trunk)/tags/\(Self.tag)", a, expecting: 201)
        let floatingIP = try await cloud.make(
            "\(v2)/floatingips", "floatingip", ["floating_network_id": .string(cloud.external)], a)
        let forwardings = "\(v2)/floatingips/{id}/port_forwardings"
        own(
            forwardings + "/{forwarding}",
            try await cloud.make(
                "\(v2)/floatingips/\(floatingIP)/port_forwardings", "port_forwarding",
                [
                    "internal_port_id": .string(ports[2]), "internal_port": 22, "external_port": 2222,
                    "protocol": "tcp", "description": "alpha",
                ], a))
        others["inside"] = ports[2]
        // Its forwardings have a floating IP of their own: the other one points to a port.
        for path in [forwardings, forwardings + "/{forwarding}"] { samples["\(path) {id}"] = floatingIP }
        secrets.formUnion(ports + [floatingIP])
        let router = self["\(v2)/routers/{id}"]
        own(
            "\(v2)/routers/{id}/conntrack_helpers/{helper}",
            try await cloud.make(
                "\(v2)/routers/\(router)/conntrack_helpers", "conntrack_helper",
                ["helper": "ftp", "protocol": "tcp", "port": 21], a))
        try await fillMetering()
        own(
            "\(v2)/log/logs/{id}",
            try await cloud.make(
                "\(v2)/log/logs", "log",
                [
                    "name": "alpha-log", "resource_type": "security_group",
                    "resource_id": .string(self["\(v2)/security-groups/{id}"]), "project_id": .string(cloud.a.project),
                ], cloud.admin))
        try await fillBindings(network)
        samples["\(v2)/agents/{id}/l3-routers/{router}"] = router
        samples["\(v2)/agents/{id}/dhcp-networks/{network}"] = self["\(v2)/networks/{id}"]
    }

    /// A guest's port on one host, and prepared on another.
    private mutating func fillBindings(_ network: JSON) async throws {
        let ports = "/network/v2.0/ports"
        let port = try await cloud.make(
            ports, "port",
            ["name": "alpha-guest", "network_id": network, "device_owner": "compute:nova", "device_id": "alpha-guest"],
            cloud.a.member)
        secrets.insert(port)
        for host in ["first", "second"] {
            try await cloud.call(
                .post, "\(ports)/\(port)/bindings", cloud.service, ["binding": ["host": .string(host)]], expecting: 201)
        }
        for path in ["", "/{host}", "/{host}/activate"] { samples["\(ports)/{id}/bindings\(path) {id}"] = port }
        samples["\(ports)/{id}/bindings/{host}"] = "second"
    }

    private mutating func fillQoS() async throws {
        let (admin, policies) = (cloud.admin, "/network/v2.0/qos/policies")
        let policy = try await cloud.make(
            policies, "policy", ["name": "alpha-policy", "project_id": .string(cloud.a.project)], admin)
        own(policies + "/{id}", policy)
        own("/network/v2.0/policies/{id}", policy)
        try await cloud.call(.put, "\(policies)/\(policy)/tags/\(Self.tag)", admin, expecting: 201)
        for (kind, fields, hasAlias) in rules {
            let rule = try await cloud.make(
                "\(policies)/\(policy)/\(kind)_rules", "\(kind)_rule", .object(fields), admin)
            own("\(policies)/{id}/\(kind)_rules/{rule}", rule)
            if hasAlias { own("/network/v2.0/qos/alias-\(dashed(kind))-rules/{id}", rule) }
        }
        samples["/network/v2.0/qos/rule-types/{type}"] = "bandwidth_limit"
    }

    private mutating func fillMetering() async throws {
        let (admin, path) = (cloud.admin, "/network/v2.0/metering")
        let label = try await cloud.make(
            "\(path)/metering-labels", "metering_label",
            ["name": "alpha-label", "project_id": .string(cloud.a.project)], admin)
        own("\(path)/metering-labels/{id}", label)
        own(
            "\(path)/metering-label-rules/{id}",
            try await cloud.make(
                "\(path)/metering-label-rules", "metering_label_rule",
                ["metering_label_id": .string(label), "direction": "ingress", "remote_ip_prefix": "10.0.0.0/24"],
                admin))
    }
}

extension SampleBodies {
    static func networkServices(_ estate: Estate, _ bodies: inout [String: JSON]) {
        let v2 = "/network/v2.0"
        bodies["POST \(v2)/qos/policies"] = [
            "policy": ["name": "new", "description": "d", "shared": false, "is_default": false]
        ]
        bodies["PUT \(v2)/qos/policies/{id}"] = ["policy": ["name": "alpha-policy", "description": "alpha"]]
        for (kind, fields, hasAlias) in rules {
            let collection = "\(v2)/qos/policies/{id}/\(kind)_rules"
            bodies["POST \(collection)"] = .object(["\(kind)_rule": .object(fields)])
            bodies["PUT \(collection)/{rule}"] = .object(["\(kind)_rule": .object(fields)])
            guard hasAlias else { continue }
            bodies["PUT \(v2)/qos/alias-\(dashed(kind))-rules/{id}"] = .object(["alias_\(kind)_rule": .object(fields)])
        }
        let subport: JSON = [
            "port_id": .string(estate.others["subport"] ?? ""), "segmentation_type": "vlan", "segmentation_id": 7,
        ]
        bodies["POST \(v2)/trunks"] = [
            "trunk": [
                "name": "new", "description": "d", "admin_state_up": true, "sub_ports": [],
                "port_id": .string(estate["\(v2)/ports/{id}"]),
            ]
        ]
        bodies["PUT \(v2)/trunks/{id}"] = [
            "trunk": ["name": "alpha-trunk", "description": "alpha", "admin_state_up": true]
        ]
        for verb in ["add", "remove"] { bodies["PUT \(v2)/trunks/{id}/\(verb)_subports"] = ["sub_ports": [subport]] }
        for collection in ["trunks", "policies", "qos/policies"] {
            for method in ["PUT", "POST"] {
                bodies["\(method) \(v2)/\(collection)/{id}/tags"] = ["tags": [.string(Estate.tag)]]
            }
        }
        let forwardings = "\(v2)/floatingips/{id}/port_forwardings"
        bodies["POST \(forwardings)"] = [
            "port_forwarding": [
                "internal_port_id": .string(estate.others["inside"] ?? ""), "internal_port_range": "80:81",
                "external_port_range": "8080:8081", "protocol": "tcp", "description": "d",
            ]
        ]
        bodies["PUT \(forwardings)/{forwarding}"] = [
            "port_forwarding": ["external_port": 2223, "internal_port": 23, "description": "alpha"]
        ]
        bodies["POST \(v2)/agents/{id}/l3-routers"] = ["router_id": .string(estate["\(v2)/routers/{id}"])]
        bodies["POST \(v2)/agents/{id}/dhcp-networks"] = ["network_id": .string(estate["\(v2)/networks/{id}"])]
        let bindings = "\(v2)/ports/{id}/bindings"
        bodies["POST \(bindings)"] = ["binding": ["host": "third", "vnic_type": "normal", "profile": [:]]]
        bodies["PUT \(bindings)/{host}"] = ["binding": ["vnic_type": "normal", "profile": [:]]]
        bodies["PUT \(bindings)/{host}/activate"] = [:]
        bodies["POST \(v2)/log/logs"] = [
            "log": [
                "name": "new", "description": "d", "resource_type": "security_group", "event": "DROP", "enabled": true,
                "resource_id": .string(estate["\(v2)/security-groups/{id}"]), "target_id": nil,
            ]
        ]
        bodies["PUT \(v2)/log/logs/{id}"] = ["log": ["name": "alpha-log", "description": "alpha", "enabled": true]]
        bodies["PUT \(v2)/routers/{id}/add_external_gateways"] = [
            "router": ["external_gateways": [["network_id": .string(estate.cloud.external)]]]
        ]
        // Its floating IPs hold the others.
        for verb in ["update", "remove"] {
            bodies["PUT \(v2)/routers/{id}/\(verb)_external_gateways"] = ["router": ["external_gateways": []]]
        }
        let helpers = "\(v2)/routers/{id}/conntrack_helpers"
        bodies["POST \(helpers)"] = ["conntrack_helper": ["helper": "tftp", "protocol": "udp", "port": 69]]
        bodies["PUT \(helpers)/{helper}"] = ["conntrack_helper": ["helper": "ftp", "protocol": "tcp", "port": 2121]]
        bodies["POST \(v2)/metering/metering-labels"] = [
            "metering_label": ["name": "new", "description": "d", "shared": false]
        ]
        bodies["POST \(v2)/metering/metering-label-rules"] = [
            "metering_label_rule": [
                "metering_label_id": .string(estate["\(v2)/metering/metering-labels/{id}"]), "direction": "egress",
                "source_ip_prefix": "10.1.0.0/24", "destination_ip_prefix": "10.2.0.0/24", "excluded": false,
            ]
        ]
    }
}
