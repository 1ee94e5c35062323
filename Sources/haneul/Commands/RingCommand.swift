// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc

/// `haneul ring`: the devices of the object store and whether it is whole; adds, changes and removes devices.
enum RingCommand {
    static let usage = """
        haneul ring [--json]
        haneul ring add PATH|HOST:PORT/PATH [--zone ZONE] [--weight WEIGHT] [--class CLASS]
        haneul ring set NUMBER [--weight WEIGHT] [--zone ZONE] [--class CLASS]
        haneul ring remove NUMBER [--force]
        haneul ring repair
        """

    /// New rings are worked out before the answer: of a million partitions, that takes a while.
    private static let seconds = 120

    static func run(_ words: [String]) throws {
        let arguments = try Arguments(
            words, valued: ["state", "zone", "weight", "class"], flags: ["json", "force"])
        try requireRoot("the cloud's state is private")
        let operands = arguments.operands
        switch (operands.first, operands.count) {
        case (nil, _):
            try arguments.allow(["json"])
            try show(client(arguments), asJSON: arguments.has("json"))
        case ("add", 2):
            try arguments.allow(["zone", "weight", "class"])
            try add(operands[1], arguments)
        case ("set", 2):
            try arguments.allow(["zone", "weight", "class"])
            try set(operands[1], arguments)
        case ("remove", 2):
            try arguments.allow(["force"])
            try remove(operands[1], arguments)
        case ("repair", 1):
            try arguments.allow([])
            try call(client(arguments), "POST", "/repair")
            Terminal.say("Replicas are being compared. `haneul ring` tells when the pass has ended.")
        default: throw CommandFailure("Usage:\n\(usage)")
        }
    }

    // MARK: What it does

    private static func show(_ client: APIClient, asJSON: Bool) throws {
        let answer = try call(client, "GET", "")
        guard let state = answer.json else { throw CommandFailure("The cloud's answer is not JSON.") }
        if asJSON {
            Terminal.say(state.text())
        } else {
            for line in RingReport.lines(state) { Terminal.say(line) }
        }
        guard state["whole"]?.bool == true else { throw CommandFailure("The object store is not whole.") }
    }

    private static func add(_ place: String, _ arguments: Arguments) throws {
        let client = try client(arguments)
        var fields = try fields(arguments)
        switch try RingPlace(place) {
        case .remote(let host, let path):
            fields["host"] = .string(host)
            fields["path"] = .string(path)
        case .local(let path):
            fields["path"] = .string(try reachable(path, arguments.state))
        }
        let device = try call(client, "POST", "/devices", body: .object(fields)).json
        Terminal.say(
            "Device \(device?["number"]?.int ?? 0) is \(device?["path"]?.string ?? place). Its share moves to it now; "
                + "`haneul ring` tells how far.")
    }

    private static func set(_ number: String, _ arguments: Arguments) throws {
        let fields = try fields(arguments)
        guard !fields.isEmpty else { throw CommandFailure("Set what: --weight, --zone or --class?") }
        try call(client(arguments), "PATCH", "/devices/\(checked(number))", body: .object(fields))
        Terminal.say("Device \(number) is changed. What has to move moves now; `haneul ring` tells how far.")
    }

    private static func remove(_ number: String, _ arguments: Arguments) throws {
        let query = arguments.has("force") ? "?force=true" : ""
        let client = try client(arguments)
        let answer = try answer(client, "DELETE", "/devices/\(checked(number))\(query)")
        if answer.status == 409, query.isEmpty, let message = message(answer), message.contains("still holds") {
            throw CommandFailure(
                "\(message)\n  haneul ring set \(number) --weight 0\nA device that is lost for good is removed with "
                    + "--force: what no other device has is lost, the rest is copied from the others.")
        }
        try check(answer)
        Terminal.say("Device \(number) is removed.")
    }

    // MARK: Words

    private static func checked(_ number: String) throws -> UInt16 {
        guard let value = UInt16(number) else {
            throw CommandFailure("\(number) is no number of a device; `haneul ring` lists them.")
        }
        return value
    }

    private static func fields(_ arguments: Arguments) throws -> [String: JSON] {
        var fields: [String: JSON] = [:]
        if let zone = arguments.value("zone") { fields["zone"] = .string(zone) }
        if let name = arguments.value("class") { fields["class"] = name.isEmpty ? .null : .string(name) }
        if let text = arguments.value("weight") {
            guard let weight = Double(text), weight.isFinite, weight >= 0 else {
                throw CommandFailure("--weight takes a number from 0, such as the size in GiB; 0 empties the device.")
            }
            fields["weight"] = .double(weight)
        }
        return fields
    }

    /// The whole path of a directory that the cloud's host sees as the same directory.
    ///
    /// That host has mounts of its own: it sees the machine's as they were when it was brought up, and has a few
    /// directories for itself. A disk that was mounted since would be an empty folder of another disk there.
    private static func reachable(_ path: String, _ state: SandboxState) throws -> String {
        guard let resolved = realpath(path, nil) else {
            throw CommandFailure(
                "\(path) cannot be found: \(String(cString: strerror(errno))). Make the directory, or mount the disk "
                    + "there, before `haneul ring add`.")
        }
        defer { free(resolved) }
        let whole = String(cString: resolved)
        var outside = stat()
        guard stat(whole, &outside) == 0, outside.st_mode & S_IFMT == S_IFDIR else {
            throw CommandFailure("\(whole) is no directory.")
        }
        // A cloud that is not in namespaces of its own sees what this command sees.
        guard let host = state.runningHost() else { return whole }
        var inside = stat()
        let isThere = stat("/proc/\(host)/root\(whole)", &inside) == 0
        guard isThere, inside.st_dev == outside.st_dev, inside.st_ino == outside.st_ino else {
            let own = (["/run", "/sys"] + SandboxState.hostDirectories).joined(separator: ", ")
            throw CommandFailure(
                "\(whole) is \(isThere ? "another directory" : "not there") for the cloud's host: it sees what was "
                    + "mounted when it was brought up, and has \(own) for itself. For a disk that was mounted since, "
                    + "run `haneul down` and `haneul up` (guests and data stay) and try again; else choose another "
                    + "directory.")
        }
        return whole
    }

    // MARK: The cloud

    private static func client(_ arguments: Arguments) throws -> APIClient {
        let state = arguments.state
        guard let settings = try state.settings(), let credentials = try state.credentials() else {
            throw CommandFailure("There is no cloud in \(state.directory). `haneul up` makes one.")
        }
        return try APIClient(port: settings.port, token: nil).signedIn(
            user: "admin", password: credentials.admin, project: "admin")
    }

    @discardableResult
    private static func call(
        _ client: APIClient, _ method: String, _ path: String, body: JSON? = nil
    ) throws -> APIClient.Answer {
        let answer = try answer(client, method, path, body: body)
        try check(answer)
        return answer
    }

    private static func answer(
        _ client: APIClient, _ method: String, _ path: String, body: JSON? = nil
    ) throws -> APIClient.Answer {
        guard
            let answer = client.request(
                method, "/object-store/ring\(path)", body: body?.text(), seconds: seconds)
        else { throw CommandFailure("The object store does not answer. See `haneul status`.") }
        return answer
    }

    private static func check(_ answer: APIClient.Answer) throws {
        guard !(200..<300).contains(answer.status) else { return }
        throw CommandFailure(message(answer) ?? "The object store refused (status \(answer.status)).")
    }

    private static func message(_ answer: APIClient.Answer) -> String? { answer.json?["error"]?["message"]?.string }
}

/// Where a device is, as it is written on the command line.
enum RingPlace: Equatable {
    case local(String)
    case remote(host: String, path: String)

    /// `HOST:PORT/PATH` is on another host; anything else is a directory here.
    init(_ text: String) throws {
        guard !text.isEmpty else { throw CommandFailure("Which directory?") }
        guard let slash = text.firstIndex(of: "/"), let colon = text[..<slash].lastIndex(of: ":"),
            colon > text.startIndex
        else {
            self = .local(text)
            return
        }
        guard let port = Int(text[text.index(after: colon)..<slash]), (1...65_535).contains(port) else {
            throw CommandFailure(
                "\(text[..<slash]) is no host and port. A directory of this machine whose name has a colon is written "
                    + "./\(text).")
        }
        self = .remote(host: String(text[..<slash]), path: String(text[slash...]))
    }
}

extension Arguments {
    /// Refuses options that another form of the same command takes.
    fileprivate func allow(_ names: Set<String>) throws {
        for name in ["zone", "weight", "class", "json", "force"] where !names.contains(name) {
            guard value(name) == nil, !has(name) else {
                throw CommandFailure("--\(name) is no option here. Usage:\n\(RingCommand.usage)")
            }
        }
    }
}
