// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageAgent
import ComputeAgent
import DatabaseSQLite
import Glibc
import HTTPServer
import LifecycleKit
import LinuxKit
import LogKit

/// `haneul serve`: the role `all-in-one`: every API, engine and agent of one host, in the foreground.
enum ServeCommand {
    static let usage = "haneul serve [--state DIR] [--port N] [--fake] [--OPTION VALUE …]"

    static func run(_ words: [String]) async throws {
        let arguments = try Arguments(words, valued: ["state", "port"], flags: ["fake"], passing: true)
        let state = arguments.state
        let settings = try OperatorSettings.load(state, flags: arguments.others)
        try ProcessLimits.raiseOpenFiles()
        Logger.setLevel(settings.configuration.section(CloudConfig.self).logLevel)
        let isFake = arguments.has("fake")
        try FileSystem.makeDirectories(state.directory, mode: 0o700)
        let port = try arguments.number("port", 1...65_535) ?? state.settings()?.port ?? SandboxState.defaultPort
        if try state.credentials() == nil { try state.save(.generated()) }
        guard let credentials = try state.credentials() else { throw CommandFailure("There are no credentials.") }

        let host = isFake ? try await AllInOneHost.fake() : try await AllInOneHost.real()
        let database = try SQLiteDatabase(path: state.database)
        var foundation = Cloud.Foundation(
            database: database, credentialKeys: try state.credentialKeys(), network: host.network,
            objectDevices: try host.objectDevices(settings.configuration, state),
            imageDirectory: state.directory + "/images", origin: "http://127.0.0.1:\(port)")
        foundation.apply(settings)
        foundation.volumeKeys = try state.volumeKeys()
        foundation.blockStorage.stateDirectory = state.directory
        let cloud = try await Cloud(foundation)
        let hypervisor = try await host.hypervisor(settings.configuration.section(), state, cloud)
        let newcomer = Newcomer(cloud: cloud, credentials: credentials)
        let admin = try await newcomer.foundation()
        if !FileSystem.exists(state.welcomeFile) { try await newcomer.welcome(admin: admin) }

        let background = BackgroundTasks("health")
        let health = CloudHealth(
            cloud: cloud, database: database, host: host, hypervisor: hypervisor, tasks: background)
        let root = try RootAPI(services: cloud.apis) { await health.parts() }
        let server = HTTPServer(
            listeners: [listener(port)], handler: cloud.handler(root: root),
            limits: settings.configuration.section(HTTPConfig.self).limits)
        let driver = (hypervisor as? any Service).map { [$0] } ?? []
        let agent = ComputeAgent(host: host.name, bus: cloud.bus, driver: hypervisor)
        MetricsRegistry.shared.addProcessMetrics()
        server.addMetrics()
        // The API opens last: whoever it answers finds everything running.
        var services: [any Service] = [background] + host.services
        services += cloud.services
        services += driver
        services.append(agent)
        services.append(
            VolumeAgent(
                bus: cloud.bus, backends: host.volumeBackends(settings.configuration, state, cloud)))
        services += try host.agents(cloud.bus)
        services.append(server)
        try await ServiceGroup.run(services)
        await database.close()
    }

    /// The socket that was made outside of the host and handed in, or one of its own.
    private static func listener(_ port: Int) -> Listener {
        if let text = getenv("HANEUL_LISTEN_DESCRIPTOR"), let descriptor = Int32(String(cString: text)) {
            return Listener(.descriptor(descriptor))
        }
        return Listener(.address("127.0.0.1", port: UInt16(port)))
    }
}
