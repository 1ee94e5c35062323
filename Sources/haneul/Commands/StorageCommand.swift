// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPServer
import LifecycleKit
import LinuxKit
import LogKit
import ObjectStorageDriverRemote

/// `haneul storage`: the role `storage` of one host, in the foreground.
enum StorageCommand {
    static let usage =
        "haneul storage --listen ADDRESS:PORT --directory DIR [--directory DIR …] --key-file FILE "
        + "[--name ADDRESS:PORT] [--state DIR] [--OPTION VALUE …]"

    static func run(_ words: [String]) async throws {
        let arguments = try Arguments(
            words, valued: ["state", "listen", "name", "directory", "key-file"], passing: true)
        let settings = try OperatorSettings.load(arguments.state, flags: arguments.others)
        Logger.setLevel(settings.configuration.section(CloudConfig.self).logLevel)
        let (host, listener) = try host(arguments)
        try ProcessLimits.raiseOpenFiles()
        var options = host
        options.limits = settings.configuration.section(HTTPConfig.self).limits
        let log = Logger("object-storage")
        log.info("storage host starts", ["endpoint": options.endpoint, "directories": options.directories.count])
        try await ServiceGroup.run(StorageHost(options, listener: listener).services)
        log.info("storage host stopped", ["endpoint": options.endpoint])
    }

    static func host(_ arguments: Arguments) throws -> (StorageHost.Settings, Listener) {
        guard let listen = arguments.value("listen"), let place = StorageEndpoint(listen),
            IPAddress(place.host) != nil
        else { throw CommandFailure("--listen takes an IP address and a port: 192.0.2.1:6200.\n\(usage)") }
        let name = arguments.value("name") ?? listen
        guard let endpoint = StorageEndpoint(name), !endpoint.isWildcard else {
            throw CommandFailure("--name takes what `haneul ring` calls this host: an address and a port.\n\(usage)")
        }
        // As the rings have it.
        let directories = arguments.all("directory").map {
            $0.count > 1 && $0.hasSuffix("/") ? String($0.dropLast()) : $0
        }
        guard !directories.isEmpty, directories.allSatisfy({ $0.hasPrefix("/") }),
            Set(directories).count == directories.count
        else {
            throw CommandFailure("--directory takes the whole path of a folder, once for each disk.\n\(usage)")
        }
        guard let file = arguments.value("key-file") else {
            throw CommandFailure("--key-file names the file with the cluster's key.\n\(usage)")
        }
        guard let key = try ClusterKey.read(file) else { throw CommandFailure("There is no file \(file).") }
        let settings = StorageHost.Settings(endpoint: name, directories: directories, key: key)
        return (settings, Listener(.address(place.host, port: place.port)))
    }
}
