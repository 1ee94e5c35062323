// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ImageContract
import ImageCore
import LifecycleKit
import PolicyKit
import SecurityKit
import TaskKit
import TestKit
import Testing

/// Goal: an import ends with an image that is whole in every store that was asked for, or as it was before, and its
/// task says which. Method: every walk of the saga, by each way in which bytes come; then through the API.
@Suite("Imports of images")
struct ImageImportTests {
    private static let url = "http://images.test/disk"
    private static let bytes = ImageBytes.qcow2()

    /// A world with a second store.
    private func withWorld(
        _ answers: [String: FakeServers.Answer] = [url: .image(bytes)],
        _ body: (ImageWorld) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory + "/files", fetcher: FakeServers(answers: answers)) {
                $0.stores = ["fast=\(directory)/fast", "slow=\(directory)/slow"]
            }
            try await body(world)
        }
    }

    private func files(_ world: ImageWorld, _ store: String) throws -> [String] {
        let root = world.directory.dropLast("/files".count)
        return try FileCalls.names(in: "\(root)/\(store == "file" ? "files" : store)").filter { $0 != "cache" }
    }

    private func task(_ world: ImageWorld, _ id: String) async throws -> JSON {
        let answer = try await world.call(.get, "/v2/images/\(id)/tasks", as: "admin@root")
        return answer.json["tasks"]?.array?.last ?? .null
    }

    // MARK: Walks

    /// The image with what was staged for it, uploaded, or neither.
    private func ready(_ world: ImageWorld, _ method: ImageImportMethod) async throws -> String {
        let id = try await world.create(["disk_format": "qcow2"])
        let way: (String, Int)? =
            switch method {
            case .webDownload: nil
            case .glanceDirect: ("stage", 204)
            case .copyImage: ("file", 204)
            }
        if let (way, status) = way {
            let answer = try await world.call(.put, "/v2/images/\(id)/\(way)", bytes: Pieces([Self.bytes]))
            #expect(answer.status == status)
        }
        return id
    }

    private func walk(_ walk: SagaWalk, _ method: ImageImportMethod) async throws {
        try await withWorld { world in
            let id = try await ready(world, method)
            let before = try await world.call(.get, "/v2/images/\(id)").json
            let record = try await walk.run(on: world.database, world.registry, clock: world.clock.clock) { runner in
                var draft = ImageImportDraft(method: method, url: Self.url)
                draft.stores = ["fast", "slow"]
                try await ImageImportEngine(world.engine, sagas: runner).begin(
                    draft, of: ImageID(id), for: world.context("admin@one"))
                let image = try await world.call(.get, "/v2/images/\(id)").json
                return SagaRunID(try #require(image["os_glance_import_task"]?.string))
            }
            #expect(record.state == walk.expectedState)
            try await expectEnd(world, id, before: before, method, isSure: record.state == .finished)
        }
    }

    /// `isSure`: it must have gone well. A run whose last step failed after its effect leaves a whole image, too.
    private func expectEnd(
        _ world: ImageWorld, _ id: String, before: JSON, _ method: ImageImportMethod, isSure: Bool
    ) async throws {
        let image = try await world.call(.get, "/v2/images/\(id)").json
        let task = try await task(world, id)
        #expect(image["os_glance_import_task"] == nil && image["os_glance_importing_to_stores"] == "")
        if task["status"] == "success" {
            #expect(image["status"] == "active" && image["os_glance_failed_import"] == "")
            #expect(image["stores"] == (method == .copyImage ? "fast,file,slow" : "fast,slow"))
            #expect(image["checksum"]?.string == Hex.encode(Digest.of(Self.bytes, .md5)))
            #expect(image["virtual_size"] == .int(10 << 20))
            #expect(try await world.call(.get, "/v2/images/\(id)/file").bytes == Self.bytes)
            #expect(task["result"] == ["image_id": .string(id)])
            for store in ["fast", "slow"] { #expect(try files(world, store).count == 1) }
            #expect(try files(world, "file").count == (method == .copyImage ? 1 : 0))
        } else {
            #expect(!isSure)
            #expect(task["status"] == "failure" && task["message"]?.string?.isEmpty == false)
            #expect(image["os_glance_failed_import"] == "fast,slow")
            #expect(image["status"] == (method == .copyImage ? "active" : "queued"))
            #expect(image["stores"] == before["stores"])
            for store in ["fast", "slow"] { #expect(try files(world, store) == []) }
            #expect(try files(world, "file").count == (method == .copyImage ? 1 : 0))
            if method == .copyImage {
                #expect(try await world.call(.get, "/v2/images/\(id)/file").bytes == Self.bytes)
            }
        }
        #expect(try await world.reconciler.reconcile() == 0)
    }

    @Test("a download ends whole or as it was", arguments: SagaWalk.all(ImportImageSaga.self))
    func download(_ walk: SagaWalk) async throws { try await self.walk(walk, .webDownload) }

    @Test("an import of staged bytes ends whole or as it was", arguments: SagaWalk.all(ImportImageSaga.self))
    func staged(_ walk: SagaWalk) async throws { try await self.walk(walk, .glanceDirect) }

    @Test("a copy ends whole or as it was", arguments: SagaWalk.all(ImportImageSaga.self))
    func copied(_ walk: SagaWalk) async throws { try await self.walk(walk, .copyImage) }

    // MARK: Through the API

    @Test("what cannot be fetched leaves a queued image, and the task says why")
    func badDownloads() async throws {
        let root = "http://images.test/"
        try await withWorld([
            root + "raw": .image([1, 2, 3]), root + "gone": .status(404), root + "closed": .closed,
            root + "broken": .broken(Self.bytes), root + "inside": .redirect("http://169.254.169.254/"),
            root + "port": .redirect("http://images.test:8080/disk"), root + "file": .redirect("file:///etc/passwd"),
            root + "circle": .redirect("/circle"),
        ]) { world in
            let id = try await world.create(["disk_format": "qcow2"])
            for (name, reason) in [
                ("raw", "does not match"), ("gone", "404"), ("closed", "filtering"), ("broken", ""),
                ("inside", "disallowed"), ("port", "disallowed"), ("file", "disallowed"), ("circle", "too often"),
                ("nowhere", "not available"),
            ] {
                let body: JSON = ["method": ["name": "web-download", "uri": .string(root + name)]]
                #expect(try await world.call(.post, "/v2/images/\(id)/import", body).status == 202)
                try await world.finishImports()
                world.clock.advance(by: .seconds(1))
                let task = try await task(world, id)
                let message = try #require(task["message"]?.string)
                #expect(task["status"] == "failure" && message.contains(reason), "\(name): \(task)")
                let image = try await world.call(.get, "/v2/images/\(id)").json
                #expect(image["status"] == "queued" && image["os_glance_failed_import"] == "file")
                #expect(try files(world, "file") == [])
            }
            for url: JSON in ["http://127.0.0.1/", "ftp://a.test/", nil, 5] {
                let body: JSON = ["method": ["name": "web-download", "uri": url]]
                let answer = try await world.call(.post, "/v2/images/\(id)/import", body)
                #expect(answer.status == 400 && answer.text.contains("does not pass filtering"))
            }
        }
    }

    @Test("a redirect is followed, and the task tells of the request")
    func redirected() async throws {
        try await withWorld([
            "http://images.test/a": .redirect("/b"), "http://images.test/b": .redirect("https://other.test/c"),
            "https://other.test/c": .image(Self.bytes),
        ]) { world in
            let id = try await world.create(["disk_format": "qcow2"])
            let body: JSON = ["method": ["name": "web-download", "uri": "http://images.test/a"]]
            let answer = try await world.call(.post, "/v2/images/\(id)/import", body)
            #expect(answer.status == 202)
            #expect(try await world.status(id) == "importing")
            #expect(try await world.call(.post, "/v2/images/\(id)/import", body).status == 409)
            try await world.finishImports()
            #expect(try await world.status(id) == "active")
            let task = try await task(world, id)
            #expect(task["type"] == "api_image_import" && task["owner"] == "one" && task["image_id"]?.string == id)
            #expect(task["request_id"]?.string == answer.headers["x-openstack-request-id"])
            #expect(task["input"]?["import_req"]?["method"]?["name"] == "web-download")
            let other = try await world.call(.get, "/v2/images/\(id)/tasks", as: "member@two")
            #expect(other.status == 404)
        }
    }

    @Test("what is asked for wrongly is refused before anything begins")
    func refused() async throws {
        try await withWorld { world in
            let id = try await world.create(["disk_format": "qcow2"])
            let path = "/v2/images/\(id)/import"
            let direct: JSON = ["name": "glance-direct"]
            let cases: [(JSON, Int)] = [
                ([:], 400), (["method": [:]], 400), (["method": ["name": "magic"]], 400), (["method": direct], 409),
                (["method": direct, "all_stores": "yes"], 400), (["method": direct, "stores": "file"], 400),
                (["method": direct, "stores": ["file"], "all_stores": true], 400),
                (["method": ["name": "copy-image"]], 403),
            ]
            for (body, status) in cases {
                let answer = try await world.call(.post, path, body)
                #expect(answer.status == status, "\(body.text()): \(answer.text)")
            }
            #expect(try await world.call(.post, path, as: "reader@one", ["method": direct]).status == 403)
            #expect(try await world.call(.post, path, as: "member@two", ["method": direct]).status == 404)
            let copy: JSON = ["method": ["name": "copy-image"], "stores": ["fast"]]
            #expect(try await world.call(.post, path, as: "admin@root", copy).status == 409)
            #expect(try await world.call(.put, "/v2/images/\(id)/stage", bytes: Pieces([Self.bytes])).status == 204)
            let nowhere: JSON = ["method": direct, "stores": ["tape"]]
            #expect(try await world.call(.post, path, nowhere).status == 409)
            #expect(try await world.status(id) == "uploading")
        }
    }

    @Test("copies go everywhere, once, and leave one by one")
    func stores() async throws {
        try await withWorld { world in
            let id = try await world.create(["disk_format": "qcow2"])
            let upload = try await world.call(
                .put, "/v2/images/\(id)/file", bytes: Pieces([Self.bytes]), headers: ["x-image-meta-store": "slow"])
            #expect(upload.status == 204)
            #expect(try await world.call(.get, "/v2/images/\(id)").json["stores"] == "slow")
            let path = "/v2/images/\(id)/import"
            let all: JSON = ["method": ["name": "copy-image"], "all_stores": true, "all_stores_must_succeed": false]
            for _ in 0..<2 {
                #expect(try await world.call(.post, path, as: "admin@root", all).status == 202)
                try await world.finishImports()
                let image = try await world.call(.get, "/v2/images/\(id)").json
                #expect(image["stores"] == "fast,file,slow" && image["os_glance_failed_import"] == "")
            }
            let again: JSON = ["method": ["name": "copy-image"], "stores": ["fast"]]
            #expect(try await world.call(.post, path, as: "admin@root", again).status == 400)
            #expect(try await world.call(.delete, "/v2/stores/slow/\(id)").status == 403)
            #expect(try await world.call(.delete, "/v2/stores/tape/\(id)", as: "admin@root").status == 409)
            #expect(try await world.call(.delete, "/v2/stores/slow/\(id)", as: "admin@root").status == 204)
            #expect(try await world.call(.delete, "/v2/stores/slow/\(id)", as: "admin@root").status == 404)
            #expect(try await world.call(.delete, "/v2/stores/file/\(id)", as: "admin@root").status == 204)
            #expect(try await world.call(.delete, "/v2/stores/fast/\(id)", as: "admin@root").status == 403)
            #expect(try files(world, "slow") == [] && files(world, "file") == [])
            #expect(try await world.call(.get, "/v2/images/\(id)/file").bytes == Self.bytes)
            #expect(try await world.call(.delete, "/v2/images/\(id)").status == 204)
            #expect(try files(world, "fast") == [])
            let stores = try await world.call(.get, "/v2/info/stores").json["stores"]?.array ?? []
            #expect(stores.compactMap { $0["id"]?.string } == ["fast", "file", "slow"])
            #expect(stores.filter { $0["default"] == "true" }.compactMap { $0["id"]?.string } == ["file"])
            #expect(try await world.call(.get, "/v2/info/stores/detail").status == 403)
            #expect(try await world.call(.get, "/v2/info/stores/detail", as: "service@root").status == 200)
        }
    }

    @Test("locations are for services: they add them, and they alone see them")
    func locations() async throws {
        try await withWorld { world in
            let id = try await world.create(["disk_format": "qcow2"])
            let path = "/v2/images/\(id)/locations"
            let good: JSON = [
                "url": .string(Self.url),
                "validation_data": [
                    "os_hash_algo": "sha256", "os_hash_value": .string(Hex.encode(Digest.of(Self.bytes, .sha256))),
                ],
            ]
            #expect(try await world.call(.post, path, good).status == 403)
            #expect(try await world.call(.get, path).status == 403)
            let refused: [JSON] = [
                [:], ["url": 5], ["url": "http://10.0.0.1/"], ["url": "file:///etc/passwd"],
                ["url": .string(Self.url), "validation_data": ["os_hash_algo": "sha512"]],
                ["url": .string(Self.url), "validation_data": ["os_hash_value": "ab"]],
                ["url": .string(Self.url), "validation_data": ["os_hash_algo": "crc", "os_hash_value": "ab"]],
                ["url": .string(Self.url), "validation_data": ["os_hash_algo": "md5", "os_hash_value": "ab"]],
            ]
            let service = "service@one"
            for body in refused { #expect(try await world.call(.post, path, as: service, body).status == 400) }
            let wrong: JSON = [
                "url": .string(Self.url),
                "validation_data": [
                    "os_hash_algo": "md5", "os_hash_value": .string(String(repeating: "ab", count: 16)),
                ],
            ]
            #expect(try await world.call(.post, path, as: service, wrong).status == 202)
            try await world.finishImports()
            #expect(try await world.status(id) == "queued")
            #expect(try await task(world, id)["status"] == "failure")
            world.clock.advance(by: .seconds(1))
            #expect(try await world.call(.post, path, as: service, good).status == 202)
            try await world.finishImports()
            let image = try await world.call(.get, "/v2/images/\(id)").json
            #expect(image["status"] == "active" && image["os_hash_algo"] == "sha256" && image["locations"] == nil)
            #expect(try await task(world, id)["type"] == "location_import")
            let shown = try await world.call(.get, path, as: service)
            #expect(shown.json.array?.first?["metadata"]?["store"] == "file")
            #expect(shown.json.array?.first?["url"]?.string?.hasPrefix("file:///") == true)
            #expect(try await world.call(.post, path, as: service, good).status == 409)

            let vague = try await world.create(["disk_format": nil])
            #expect(try await world.call(.post, "/v2/images/\(vague)/locations", as: service, good).status == 202)
            try await world.finishImports()
            #expect(try await world.status(vague) == "queued", "nothing says what its bytes are to be")
            #expect(try await task(world, vague)["message"]?.string?.contains("disk_format") == true)
        }
    }

    /// A server that never stops sending zeros.
    private struct EndlessServer: ImageFetcher {
        func fetch(_ url: String) async throws -> ImageFetch {
            ImageFetch(
                status: 200, location: nil, sizeBytes: nil, body: { [UInt8](repeating: 0, count: 256 << 10) })
        }
    }

    @Test("a download that is not what was declared is not read to its end")
    func endless() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory + "/files", fetcher: EndlessServer())
            let id = try await world.create(["disk_format": "qcow2"])
            let body: JSON = ["method": ["name": "web-download", "uri": .string(Self.url)]]
            #expect(try await world.call(.post, "/v2/images/\(id)/import", body).status == 202)
            try await world.finishImports()
            #expect(try await world.status(id) == "queued")
            #expect(try await task(world, id)["message"]?.string?.contains("does not match") == true)
        }
    }

    @Test("downloads take some of the places there are, and one project's take few of those")
    func places() {
        let places = DownloadPlaces()
        let own = ProjectID("p0")
        for _ in 0..<DownloadPlaces.ofOneProject { #expect(places.enter(own)) }
        #expect(!places.enter(own))
        places.leave(own)
        #expect(places.enter(own))
        var entered = DownloadPlaces.ofOneProject
        for number in 1..<100 where places.enter(ProjectID("p\(number)")) { entered += 1 }
        #expect(entered == DownloadPlaces.all)
        #expect(!places.enter(nil))
    }

    @Test("tasks are administrators' own, and end by their age")
    func tasks() async throws {
        try await withWorld { world in
            let admin = "admin@root"
            let properties: JSON = ["name": "t", "disk_format": "qcow2", "container_format": "bare"]
            func body(_ url: String) -> JSON {
                [
                    "type": "import",
                    "input": [
                        "import_from": .string(url), "import_from_format": "qcow2", "image_properties": properties,
                    ],
                ]
            }
            #expect(try await world.call(.post, "/v2/tasks", body(Self.url)).status == 403)
            #expect(try await world.call(.get, "/v2/tasks").status == 403)
            for bad: JSON in [[:], ["type": "import"], ["type": "x", "input": [:]], ["type": "import", "input": [:]]] {
                #expect(try await world.call(.post, "/v2/tasks", as: admin, bad).status == 400)
            }
            #expect(try await world.call(.post, "/v2/tasks", as: admin, body("http://[::1]/")).status == 400)
            let made = try await world.call(.post, "/v2/tasks", as: admin, body(Self.url))
            #expect(made.status == 201 && made.json["status"] == "pending")
            let failing = try await world.call(.post, "/v2/tasks", as: admin, body("http://nowhere.test/"))
            try await world.finishImports()
            let task = try await world.call(.get, try #require(made.headers["Location"]), as: admin).json
            let image = try #require(task["result"]?["image_id"]?.string, "\(task)")
            #expect(task["status"] == "success" && task["message"] == "")
            #expect(try await world.status(image) == "active")
            let lost = try await world.call(.get, try #require(failing.headers["Location"]), as: admin).json
            #expect(lost["status"] == "failure")
            #expect(try await world.call(.get, "/v2/images", as: admin).json["images"]?.array?.count == 1)
            func count(_ query: String) async throws -> Int? {
                try await world.call(.get, "/v2/tasks" + query, as: admin).json["tasks"]?.array?.count
            }
            #expect(try await count("") == 2)
            #expect(try await count("?status=success&type=import") == 1)
            let page = try await world.call(.get, "/v2/tasks?limit=1&sort_key=status&sort_dir=asc", as: admin).json
            #expect(page["tasks"]?.array?.first?["status"] == "failure")
            #expect(page["tasks"]?.array?.first?["input"] == nil)
            let next = try await world.call(.get, try #require(page["next"]?.string), as: admin).json
            #expect(next["tasks"]?.array?.first?["status"] == "success")
            for bad in ["?limit=x", "?limit=-1", "?marker=x", "?sort_dir=up", "?sort_key=x", "?status=x", "?type=x"] {
                #expect(try await world.call(.get, "/v2/tasks" + bad, as: admin).status == 400, "\(bad)")
            }
            let refused = try await world.call(.delete, try #require(made.headers["Location"]), as: admin)
            #expect(refused.status == 405 && refused.headers["Allow"] == "GET")
            world.clock.advance(by: .seconds(49 * 3600))
            #expect(try await count("") == 0)
            #expect(try await world.reconciler.reconcile() == 0)
        }
    }

    @Test("an import that nobody runs any more lets its image go")
    func lost() async throws {
        try await withWorld { world in
            let id = try await world.create(["disk_format": "qcow2"])
            let start: JSON = ["method": ["name": "web-download", "uri": .string(Self.url)]]
            #expect(try await world.call(.post, "/v2/images/\(id)/import", start).status == 202)
            #expect(try await world.reconciler.reconcile() == 0)
            // What a run leaves whose undo was given up, and whose record is gone.
            try await world.database.write { tx in try tx.execute("DELETE FROM saga_runs") }
            #expect(try await world.reconciler.reconcile() == 1)
            #expect(try await world.status(id) == "queued")
            #expect(try await task(world, id)["status"] == "failure")
            #expect(try await world.reconciler.reconcile() == 0)
        }
    }

    @Test("an image that is deleted while it is brought leaves nothing")
    func deletedMeanwhile() async throws {
        try await withWorld { world in
            let id = try await world.create(["disk_format": "qcow2"])
            #expect(try await world.call(.put, "/v2/images/\(id)/stage", bytes: Pieces([Self.bytes])).status == 204)
            let body: JSON = ["method": ["name": "glance-direct"], "all_stores": true]
            #expect(try await world.call(.post, "/v2/images/\(id)/import", body).status == 202)
            #expect(try await world.call(.delete, "/v2/images/\(id)").status == 204)
            try await world.finishImports()
            for store in ["file", "fast", "slow"] { #expect(try files(world, store) == []) }
        }
    }
}
