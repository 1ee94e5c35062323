// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Testing

@testable import haneul

/// Goal: `haneul ring` says in a table what is where, and what is wrong in words.
/// Method: answers of the API as text, in; lines, out.
@Suite("haneul ring")
struct RingReportTests {
    private static let device: [String: JSON] = [
        "number": 0, "zone": "1", "host": "haneul", "path": "/srv/a", "weight": .double(100), "class": .null,
        "up": true, "error": .null, "space": ["total_bytes": 1_099_511_627_776, "free_bytes": 549_755_813_888],
        "replicas": ["indexes": 8, "objects": 8], "damaged": 0,
    ]
    private static let ring: [String: JSON] = [
        "name": "objects", "version": 3, "partitions": 8, "replicas": 2, "missing": 0, "moving": 0, "unserved": 0,
        "imbalance_percent": .double(0),
    ]

    private static func state(_ changes: [String: JSON] = [:]) -> JSON {
        let away = device.merging([
            "number": 12, "path": "/srv/long name", "weight": .double(2.5), "class": "ssd", "up": false,
            "error": "unavailable: not attached", "space": .null, "damaged": 3,
        ]) { $1 }
        let indexes = ring.merging(["name": "indexes", "missing": 8, "imbalance_percent": .double(12.34)]) { $1 }
        let state: [String: JSON] = [
            "whole": false, "devices": [.object(device), .object(away)], "rings": [.object(indexes), .object(ring)],
            "last_pass": [
                "started_at": "2026-01-02T03:04:05.000000Z", "ended_at": "2026-01-02T03:04:07.500000Z",
                "partitions": 24, "repairs": 1, "errors": 0, "whole": false,
            ],
            "waiting_repairs": 2,
        ]
        return .object(state.merging(changes) { $1 })
    }

    @Test("a store with a device away")
    func table() {
        #expect(
            RingReport.lines(Self.state()) == [
                "NUMBER  ZONE  HOST    PATH            WEIGHT  CLASS  STATE       USED    TOTAL  SHARE  DAMAGED",
                "     0  1     haneul  /srv/a             100  -      up     512.0 GiB  1.0 TiB  50.0%        0",
                "    12  1     haneul  /srv/long name     2.5  ssd    AWAY           -        -  50.0%        3",
                "device 12 is away: unavailable: not attached",
                "",
                "RING     VERSION  PARTITIONS  REPLICAS  MISSING  MOVING  IMBALANCE",
                "indexes        3           8         2        8       0      12.3%",
                "objects        3           8         2        0       0       0.0%",
                "",
                "waiting repairs: 2",
                "last pass: 2026-01-02T03:04:07Z, took 2.5 s, 24 partitions, 1 repair, 0 errors, "
                    + "not all could be compared",
                "whole: no",
            ])
    }

    @Test("a store that is whole, and has just begun")
    func whole() {
        let lines = RingReport.lines(
            Self.state(["whole": true, "devices": [.object(Self.device)], "last_pass": .null, "waiting_repairs": 0]))
        #expect(lines.suffix(2) == ["last pass: none has ended since the start", "whole: yes"])
        #expect(!lines.contains { $0.contains("away") || $0.contains("waiting") })
    }

    @Test("partitions that cannot be used are named")
    func unserved() {
        let ring = Self.ring.merging(["unserved": 1]) { $1 }
        let lines = RingReport.lines(Self.state(["rings": [.object(ring)]]))
        #expect(lines.contains("1 partition cannot be used now."))
    }

    @Test("nothing an answer lacks ends the program")
    func strange() {
        for json: JSON in [.null, [:], ["devices": [1, .null], "rings": ["x"], "last_pass": 1], []] {
            #expect(RingReport.lines(json).last == "whole: no")
        }
    }

    @Test("sizes", arguments: [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (-5, "0 B"), (1 << 62, "4.0 EiB")])
    func sizes(_ count: Int64, _ text: String) {
        #expect(RingReport.bytes(count) == text)
    }

    @Test("where a device is")
    func places() throws {
        #expect(try RingPlace("/srv/a") == .local("/srv/a"))
        #expect(try RingPlace("a:b") == .local("a:b"))
        #expect(try RingPlace("./a:1/b") == .local("./a:1/b"))
        #expect(try RingPlace("store-1:6200/srv/a") == .remote(host: "store-1:6200", path: "/srv/a"))
        #expect(try RingPlace("[::1]:6200/srv/a") == .remote(host: "[::1]:6200", path: "/srv/a"))
        for text in ["", "host:x/srv", "host:0/srv", "host:70000/srv"] {
            #expect(throws: CommandFailure.self) { try RingPlace(text) }
        }
    }
}
