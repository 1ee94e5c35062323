// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// Failures as glance shows them: a small HTML page; only the authentication middleware answers JSON.
enum ImageFaults {
    static func render(_ error: CloudError, status: Int) -> HTTPResponse {
        if status == 401 {
            let body = JSONWriter.object { writer in
                writer.object("error") { fault in
                    fault.field("message", error.message)
                    fault.field("code", 401)
                    fault.field("title", "Unauthorized")
                }
            }
            return .json(401, body)
        }
        // glance answers 410 when an image vanished under its own upload.
        let status = error.kind == "Gone" ? 410 : status
        return page(status, error.message)
    }

    static func page(_ status: Int, _ message: String, headers: HTTPHeaders = [:]) -> HTTPResponse {
        let title = "\(status) \(reason(status))"
        let text = """
            <html>
             <head>
              <title>\(title)</title>
             </head>
             <body>
              <h1>\(title)</h1>
              \(escape(message))<br /><br />



             </body>
            </html>
            """
        var headers = headers
        headers.set("Content-Type", "text/html; charset=UTF-8")
        return HTTPResponse(status: status, headers: headers, body: .bytes(Array(text.utf8)))
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 410: "Gone"
        case 413: "Request Entity Too Large"
        case 415: "Unsupported Media Type"
        case 416: "Requested Range Not Satisfiable"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        default: "Error"
        }
    }

    private static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}
