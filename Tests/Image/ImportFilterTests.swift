// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageCore
import TestKit
import Testing

/// Goal: the service fetches nothing for its users that they could not reach themselves.
/// Method: URLs that two readers understand differently, and addresses of networks that are nobody's public ones.
@Suite("Which URLs are imported")
struct ImportFilterTests {
    private let filter = ImageConfig(directory: "/").importFilter

    @Test(
        "what is no plain URL of a public server is refused",
        arguments: [
            "", "http", "http://", "http:///x", "ftp://a.test/x", "file:///etc/passwd", "gopher://a.test", "//a.test/x",
            "http://user@a.test/", "http://a.test@127.0.0.1/", "http://a.test:22/", "http://a.test:0/",
            "http://a.test:99999/", "http://a.test:80x/", "http://a.test\\@b.test/", "http://a test/",
            "http://a.test/\n",
            "http://ａ.test/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1]/", "http://[fd00::1]/",
            "http://[64:ff9b::7f00:1]/", "http://127.0.0.1/", "http://10.0.0.1/", "http://172.31.255.255/",
            "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data", "http://100.64.0.1/", "http://0.0.0.0/",
            "http://255.255.255.255/", "http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://[::]/",
            "http://[1.2.3.4]/", "http://[::1/", "http://[2600::1]x/",
        ])
    func refused(_ text: String) { #expect(filter.url(text) == nil) }

    @Test(
        "plain URLs of public servers are taken",
        arguments: [
            "http://a.test", "https://a.test/x?y#z", "HTTP://A.test:80/", "https://a.test:443/%41", "http://8.8.8.8/",
            "http://[2600::1]:80/x", "http://does-not.exist/no/possible/way",
        ])
    func taken(_ text: String) { #expect(filter.url(text)?.text == text) }

    @Test("what the operator opens is open, and nothing else")
    func opened() throws {
        var config = ImageConfig(directory: "/")
        config.importNetworks = ["127.0.0.0/8", "fd00::/64"]
        config.importPorts = [8080]
        config.importHosts = ["127.0.0.1", "images.test"]
        let filter = config.importFilter
        #expect(filter.url("http://127.0.0.1:8080/x") != nil)
        #expect(filter.url("http://127.0.0.1/x") == nil)
        #expect(filter.url("http://127.0.0.2:8080/x") == nil)
        #expect(filter.url("http://images.test:8080/") != nil)
        for (text, isOpen) in [("127.0.0.9", true), ("fd00::5", true), ("fd00:0:0:1::5", false), ("10.0.0.1", false)] {
            #expect(filter.mayConnect(try #require(IPAddress(text))) == isOpen, "\(text)")
        }
        #expect(filter.mayConnect(try #require(IPAddress("::ffff:127.0.0.1"))))
    }

    @Test(
        "of IPv6, only what was given out to the public is connected to",
        arguments: [
            ("2600::1", true), ("2001:4860:4860::8888", true), ("2a00:1450::1", true), ("3fef::1", true),
            // Stands for an address of IPv4, and is judged as that.
            ("::ffff:8.8.8.8", true), ("64:ff9b::808:808", true), ("::ffff:10.0.0.1", false),
            ("64:ff9b::a00:1", false),
            // Translated, compatible, local NAT64, discarded, and never given out.
            ("::ffff:0:808:808", false), ("::ffff:0:a00:1", false), ("::808:808", false), ("64:ff9b:1::808:808", false),
            ("64:ff9b:0:1::1", false), ("100::1", false), ("100:0:0:1::1", false), ("1fff::1", false),
            ("4000::1", false), ("5f00::1", false), ("8000::1", false), ("fc00::1", false), ("fe80::1", false),
            ("fec0::1", false), ("ff02::1", false),
            // Teredo, benchmarks, ORCHID, documentation, 6to4.
            ("2001::1", false), ("2001:2::1", false), ("2001:20::1", false), ("2001:db8::1", false),
            ("3fff:fff::1", false), ("2002:808:808::1", false), ("2002:a00:1::1", false),
        ])
    func publicIPv6(_ text: String, _ isPublic: Bool) throws {
        #expect(filter.mayConnect(try #require(IPAddress(text))) == isPublic)
    }

    @Test("an operator opens what is no public IPv6")
    func openedIPv6() throws {
        var config = ImageConfig(directory: "/")
        config.importNetworks = ["::ffff:0:0:0/96", "100::/64"]
        for (text, isOpen) in [("::ffff:0:a00:1", true), ("100::1", true), ("100:0:0:1::1", false)] {
            #expect(config.importFilter.mayConnect(try #require(IPAddress(text))) == isOpen, "\(text)")
        }
    }

    @Test("a store is a word and a directory")
    func stores() {
        #expect(ImageConfig.furtherStores(["fast=/srv/fast", "slow=/x"])?.map(\.name) == ["fast", "slow"])
        for bad in [["fast"], ["=/x"], ["a=b"], ["a,b=/x"], ["a=/x", "a=/y"], ["os_glance_x=/x"]] {
            #expect(ImageConfig.furtherStores(bad) == nil, "\(bad)")
        }
    }
}
