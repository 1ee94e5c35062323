// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPKit
import LifecycleKit

/// noVNC's files from the disk, when they are there; else a page that says what is missing.
struct ConsolePages: Sendable {
    private static let maximumFileBytes = 8 << 20
    private let root: String
    private let threads = BlockingThread("console-pages")

    init(root: String) { self.root = root }

    func answer(_ path: String) async throws -> HTTPResponse {
        let parts = path.split(separator: "/")
        // Names without a leading dot stay below the root, and show nothing hidden.
        guard !parts.isEmpty, parts.count <= 8, parts.allSatisfy({ !$0.hasPrefix(".") }),
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw CloudError.notFound("") }
        let file = root + "/" + parts.joined(separator: "/")
        if let bytes = try await threads.run({ try Self.read(file) }) {
            return HTTPResponse(
                status: 200, headers: ["Content-Type": Self.type(of: file), "Cache-Control": "max-age=3600"],
                body: .bytes(bytes))
        }
        guard path == "vnc_lite.html" || path == "vnc_auto.html" || path == "vnc.html" else {
            throw CloudError.notFound("")
        }
        return HTTPResponse(
            status: 200, headers: ["Content-Type": "text/html; charset=utf-8"], body: .bytes(Array(Self.page.utf8)))
    }

    /// Nil when there is no such file.
    private static func read(_ path: String) throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= maximumFileBytes
        else { return nil }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    private static func type(of path: String) -> String {
        switch path.split(separator: ".").last {
        case "html": "text/html; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "json": "application/json"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "ico": "image/x-icon"
        case "woff": "font/woff"
        case "ttf": "font/ttf"
        case "oga": "audio/ogg"
        case "mp3": "audio/mpeg"
        default: "application/octet-stream"
        }
    }

    /// Says whether the console answers, which is what can be known without noVNC.
    private static let page = """
        <!DOCTYPE html>
        <html lang="en">
        <head><meta charset="utf-8"><title>Console</title></head>
        <body>
        <h1>Console</h1>
        <p>This page needs noVNC, and the host of the API does not have it: install the package <code>novnc</code> there
        and reload. VNC clients that speak WebSocket can connect to the address below meanwhile.</p>
        <p><code id="address"></code></p>
        <p id="state">Connecting…</p>
        <script>
        const path = new URLSearchParams(location.search).get('path') || 'console/websockify';
        const address = location.origin.replace(/^http/, 'ws') + '/' + path;
        document.getElementById('address').textContent = address;
        const state = document.getElementById('state');
        const socket = new WebSocket(address, ['binary']);
        socket.binaryType = 'arraybuffer';
        socket.onmessage = (event) => {
            const text = new TextDecoder().decode(event.data);
            state.textContent = text.startsWith('RFB') ? 'The console answers: ' + text : 'The console answers.';
            socket.close();
        };
        socket.onerror = () => { state.textContent = 'The console does not answer. Ask for a new address.'; };
        </script>
        </body>
        </html>
        """
}
