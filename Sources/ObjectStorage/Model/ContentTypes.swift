// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What an object's name says of its content.
package enum ContentTypes {
    package static let unknown = "application/octet-stream"

    /// By the extension of the last part of the name; nil when it has none that is known.
    package static func guess(_ name: String) -> String? {
        let last = name.split(byte: "/").last.map(String.init) ?? name
        guard let dot = last.lastIndex(ofByte: "."), dot != last.startIndex else { return nil }
        return byExtension[last.text(after: dot).asciiLowercased()]
    }

    private static let byExtension: [String: String] = [
        "7z": "application/x-7z-compressed", "aac": "audio/aac", "ai": "application/postscript", "aif": "audio/x-aiff",
        "aiff": "audio/x-aiff", "avi": "video/x-msvideo", "avif": "image/avif", "bin": "application/octet-stream",
        "bmp": "image/bmp", "c": "text/x-csrc", "css": "text/css", "csv": "text/csv",
        "deb": "application/x-debian-package",
        "doc": "application/msword", "dll": "application/octet-stream",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "eml": "message/rfc822", "eps": "application/postscript", "epub": "application/epub+zip",
        "exe": "application/octet-stream", "flac": "audio/flac", "gif": "image/gif", "h": "text/x-chdr",
        "htm": "text/html", "html": "text/html", "ico": "image/vnd.microsoft.icon", "ics": "text/calendar",
        "iso": "application/octet-stream", "jar": "application/java-archive", "jpe": "image/jpeg", "jpeg": "image/jpeg",
        "jpg": "image/jpeg", "js": "text/javascript", "json": "application/json", "log": "text/plain",
        "m4a": "audio/mp4", "md": "text/markdown", "mid": "audio/midi", "mjs": "text/javascript",
        "mkv": "video/x-matroska",
        "mov": "video/quicktime", "mp2": "audio/mpeg", "mp3": "audio/mpeg", "mp4": "video/mp4", "mpeg": "video/mpeg",
        "mpg": "video/mpeg", "odp": "application/vnd.oasis.opendocument.presentation",
        "ods": "application/vnd.oasis.opendocument.spreadsheet", "odt": "application/vnd.oasis.opendocument.text",
        "ogg": "audio/ogg", "otf": "font/otf", "pdf": "application/pdf", "png": "image/png",
        "ppt": "application/vnd.ms-powerpoint",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "ps": "application/postscript", "py": "text/x-python", "qt": "video/quicktime", "rar": "application/vnd.rar",
        "rtf": "application/rtf", "sh": "application/x-sh", "so": "application/octet-stream", "sql": "application/sql",
        "svg": "image/svg+xml", "tar": "application/x-tar", "tif": "image/tiff", "tiff": "image/tiff",
        "tgz": "application/x-tar", "ttf": "font/ttf", "txt": "text/plain", "vcf": "text/x-vcard",
        "wasm": "application/wasm",
        "wav": "audio/x-wav", "webm": "video/webm", "webp": "image/webp", "woff": "font/woff", "woff2": "font/woff2",
        "xhtml": "application/xhtml+xml", "xls": "application/vnd.ms-excel",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xml": "text/xml",
        "yaml": "application/yaml", "yml": "application/yaml", "zip": "application/zip",
    ]
}
