// SPDX-License-Identifier: Apache-2.0
import ComputeContract

/// A network card of a guest as libvirt reads it: a tap on the integration bridge that says which port it is.
struct InterfaceDescription {
    let nic: GuestSpecification.NIC
    /// `virtio`, `e1000`, …
    let model: String
    let config: LibvirtConfig

    func write(to xml: inout XMLWriter) {
        xml.element("interface", ["type": "bridge"]) { xml in
            xml.element("source", ["bridge": config.integrationBridge])
            xml.element("mac", ["address": nic.macAddress])
            xml.element("virtualport", ["type": "openvswitch"]) { xml in
                xml.element("parameters", ["interfaceid": nic.portID])
            }
            xml.element("target", ["dev": nic.tapName])
            xml.element("model", ["type": model])
            if config.usesUserspaceDatapath, model == "virtio" {
                xml.element("driver", ["name": "qemu"]) { xml in xml.element("host", ["csum": "off"]) }
            }
            xml.element("mtu", ["size": "\(nic.mtu)"])
            // Guests boot from their disks; the card's boot code would cost each of them seconds.
            xml.element("rom", ["enabled": "no"])
        }
    }
}
