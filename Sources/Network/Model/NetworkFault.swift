// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Failures of this service in upstream's words (neutron_lib/exceptions), so that clients that look at them work.
package enum NetworkFault {
    // MARK: Not found

    package static func networkNotFound(_ id: NetworkID) -> CloudError {
        .notFound("Network \(id) could not be found.", kind: "NetworkNotFound")
    }
    package static func subnetNotFound(_ id: SubnetID) -> CloudError {
        .notFound("Subnet \(id) could not be found.", kind: "SubnetNotFound")
    }
    package static func portNotFound(_ id: PortID) -> CloudError {
        .notFound("Port \(id) could not be found.", kind: "PortNotFound")
    }
    package static func routerNotFound(_ id: RouterID) -> CloudError {
        .notFound("Router \(id) could not be found", kind: "RouterNotFound")
    }
    package static func floatingIPNotFound(_ id: FloatingIPID) -> CloudError {
        .notFound("Floating IP \(id) could not be found", kind: "FloatingIPNotFound")
    }
    package static func groupNotFound(_ id: SecurityGroupID) -> CloudError {
        .notFound("Security group \(id) does not exist", kind: "SecurityGroupNotFound")
    }
    package static func ruleNotFound(_ id: SecurityGroupRuleID) -> CloudError {
        .notFound("Security group rule \(id) does not exist", kind: "SecurityGroupRuleNotFound")
    }

    package static func subnetPoolNotFound(_ id: SubnetPoolID) -> CloudError {
        .notFound("Subnet pool \(id) could not be found.", kind: "SubnetPoolNotFound")
    }
    package static func addressScopeNotFound(_ id: AddressScopeID) -> CloudError {
        .notFound("Address scope \(id) could not be found.", kind: "AddressScopeNotFound")
    }

    package static func addressGroupNotFound(_ id: AddressGroupID) -> CloudError {
        .notFound("Address group \(id) could not be found.", kind: "AddressGroupNotFound")
    }

    package static func defaultRuleNotFound(_ id: DefaultRuleID) -> CloudError {
        .notFound("Default Security Group rule \(id) does not exist", kind: "DefaultSecurityGroupRuleNotFound")
    }

    package static func qosPolicyNotFound(_ id: some CustomStringConvertible) -> CloudError {
        .notFound("QoS policy \(id) could not be found.", kind: "QosPolicyNotFound")
    }
    package static func qosRuleNotFound(_ id: some CustomStringConvertible, in policy: QoSPolicyID) -> CloudError {
        .notFound("QoS rule \(id) for policy \(policy) could not be found.", kind: "QosRuleNotFound")
    }
    package static func trunkNotFound(_ id: TrunkID) -> CloudError {
        .notFound("Trunk \(id) could not be found.", kind: "TrunkNotFound")
    }
    package static func portForwardingNotFound(_ id: PortForwardingID) -> CloudError {
        .notFound("Port Forwarding \(id) could not be found.", kind: "PortForwardingNotFound")
    }
    package static func conntrackHelperNotFound(_ id: ConntrackHelperID) -> CloudError {
        .notFound("Conntrack Helper \(id) could not be found.", kind: "ConntrackHelperNotFound")
    }
    package static func meteringLabelNotFound(_ id: MeteringLabelID) -> CloudError {
        .notFound("Metering label '\(id)' does not exist.", kind: "MeteringLabelNotFound")
    }
    package static func meteringRuleNotFound(_ id: MeteringRuleID) -> CloudError {
        .notFound("Metering label rule '\(id)' does not exist.", kind: "MeteringLabelRuleNotFound")
    }

    package static func logNotFound(_ id: NetworkLogID) -> CloudError {
        .notFound("Log resource \(id) could not be found.", kind: "LogResourceNotFound")
    }

    package static func flavorNotFound(_ id: NetworkFlavorID) -> CloudError {
        .notFound("Flavor \(id) could not be found.", kind: "FlavorNotFound")
    }
    package static func serviceProfileNotFound(_ id: ServiceProfileID) -> CloudError {
        .notFound("Service Profile \(id) could not be found.", kind: "ServiceProfileNotFound")
    }

    package static func segmentNotFound(_ id: SegmentID) -> CloudError {
        .notFound("Segment \(id) could not be found.", kind: "SegmentNotFound")
    }

    package static func statefulnessNotFound(_ id: StatefulnessID) -> CloudError {
        .notFound(
            "Security group default statefulness \(id) could not be found.",
            kind: "SecurityGroupDefaultStatefulnessNotFound")
    }

    // MARK: Bad input

    package static func invalidInput(_ message: String) -> CloudError {
        .badRequest("Invalid input for operation: \(message).", kind: "InvalidInput")
    }
    package static func badRequest(_ resource: String, _ message: String) -> CloudError {
        .badRequest("Bad \(resource) request: \(message).", kind: "BadRequest")
    }
    package static func invalidAddress(_ address: IPAddress, in subnet: SubnetID) -> CloudError {
        .badRequest(
            "IP address \(address) is not a valid IP for the specified subnet.", kind: "InvalidIpForSubnet")
    }

    // MARK: Addresses

    package static func addressTaken(_ address: IPAddress, in subnet: SubnetID) -> CloudError {
        .conflict("IP address \(address) already allocated in subnet \(subnet)", kind: "IpAddressAlreadyAllocated")
    }
    package static func noAddresses(on network: NetworkID) -> CloudError {
        .conflict("No more IP addresses available on network \(network).", kind: "IpAddressGenerationFailure")
    }
    package static func macInUse(_ mac: MACAddress, on network: NetworkID) -> CloudError {
        .conflict(
            "Unable to complete operation for network \(network). The mac address \(mac) is in use.",
            kind: "MacAddressInUse")
    }

    // MARK: In use

    package static func networkInUse(_ id: NetworkID) -> CloudError {
        .conflict(
            "Unable to complete operation on network \(id). There are one or more ports still in use on the network.",
            kind: "NetworkInUse")
    }
    package static func subnetInUse(
        _ id: SubnetID, _ reason: String = "One or more ports have an IP allocation from this subnet"
    ) -> CloudError {
        .conflict("Unable to complete operation on subnet \(id): \(reason).", kind: "SubnetInUse")
    }
    package static func portInUse(_ port: Port) -> CloudError {
        .conflict(
            "Unable to complete operation on port \(port.id) for network \(port.network). "
                + "Port already has an attached device \(port.deviceID).", kind: "PortInUse")
    }
    package static func servicePortInUse(_ id: PortID, _ reason: String) -> CloudError {
        .conflict("Port \(id) cannot be deleted directly via the port API: \(reason).", kind: "ServicePortInUse")
    }
    package static func routerInUse(_ id: RouterID, _ reason: String = "is in use") -> CloudError {
        .conflict("Router \(id) \(reason)", kind: "RouterInUse")
    }
    package static func gatewaysNotMatched(_ id: RouterID, _ reason: String) -> CloudError {
        .badRequest(
            "Unable to match a requested gateway port to existing gateway ports for router \(id): \(reason).",
            kind: "UnableToMatchGateways")
    }
    package static func revisionMismatch(_ expected: Int) -> CloudError {
        CloudError(
            .preconditionFailed, "Constrained to \(expected), but current revision is different",
            kind: "RevisionNumberConstraintFailed")
    }
}
