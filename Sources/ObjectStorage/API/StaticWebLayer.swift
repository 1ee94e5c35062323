// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Containers as web sites: index pages, pages for errors, listings in HTML. For strangers, whom the container must let
/// in, and for users who ask with `X-Web-Mode`.
package struct StaticWebLayer: SwiftLayer {
    package static let info: InfoPage.Section = ("staticweb", [:])
    private let gate: AccessGate

    package init(gate: AccessGate) { self.gate = gate }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard request.isRead, request.path.container != nil, isVisitor(request) else { return await next(request) }
        let record = try await gate.container(request.path, .readContainer, for: .system, seen: request.seen).record
        let site = WebSite(record)
        guard site.isOn || site.error != nil else { return await next(request) }
        let visit = WebVisit(site: site, request: request, next: next)
        if request.isObject { return await visit.object() }
        let access: Void?
        do {
            _ = try await gate.container(
                request.path, .readContainer, for: request.caller, referrer: request.referrer, seen: request.seen)
            access = ()
        } catch is AccessDenied {
            access = nil
        }
        // Listings may be closed to a visitor whom single pages are open to.
        if access == nil, !(try await mayReadPages(request)) {
            return await visit.failed(SwiftNext.response(to: AccessDenied(isKnown: false), request))
        }
        return await visit.container(mayList: access != nil)
    }

    private func isVisitor(_ request: SwiftRequest) -> Bool {
        switch request.caller {
        case .anonymous, .keyHolder: true
        case .user: request.headers.isTrue("x-web-mode")
        case .system: false
        }
    }

    private func mayReadPages(_ request: SwiftRequest) async throws -> Bool {
        do {
            _ = try await gate.object(
                request.path.appending("index"), .readObject, for: request.caller, referrer: request.referrer,
                seen: request.seen)
            return true
        } catch is AccessDenied {
            return false
        }
    }
}

/// What a container's metadata say of the site that it is.
struct WebSite: Sendable {
    var index: String?
    var error: String?
    var showsListings = false
    var css: String?
    var label: String?
    var directoryType = "application/directory"

    init(_ record: IndexRecord?) {
        func value(_ name: String) -> String? {
            guard let text = record?.header("x-container-meta-web-" + name)?.trimmed, !text.isEmpty else { return nil }
            return text
        }
        index = value("index")
        error = value("error")
        hasListings = value("listings") != nil
        showsListings = value("listings").map(SwiftText.isTrue) ?? false
        css = value("listings-css")
        label = value("listings-label")
        directoryType = value("directory-type") ?? directoryType
    }

    private let hasListings: Bool
    var isOn: Bool { index != nil || hasListings }
}

/// One visit of a site.
struct WebVisit: Sendable {
    let site: WebSite
    let request: SwiftRequest
    let next: SwiftNext

    func container(mayList: Bool) async -> SwiftResponse {
        guard site.isOn else {
            return request.headers.isTrue("x-web-mode") ? await failed(SwiftResponse(404)) : await next(request)
        }
        guard request.pathText.hasByteSuffix("/") else { return redirect }
        if let index = site.index {
            let response = await next(page(index))
            if response.status != 404 { return response.status < 400 ? response : await failed(response) }
        }
        guard mayList else { return await failed(SwiftResponse(401)) }
        return await listing("")
    }

    func object() async -> SwiftResponse {
        let response = await next(request)
        let isDirectory =
            response.isSuccess && response.headers["content-type"] == site.directoryType
            && (response.contentLength ?? 0) <= 1
        guard isDirectory || response.status == 404 else {
            if response.status < 400 { return response }
            return await failed(response)
        }
        if isDirectory { await response.drop() }
        guard site.isOn else { return await failed(isDirectory ? SwiftResponse(404) : response) }
        let name = request.path.object ?? ""
        let folder = name.hasByteSuffix("/") ? name : name + "/"
        if let index = site.index {
            let found = await next(page(folder + index))
            if found.status < 400 {
                if name.hasByteSuffix("/") { return found }
                await found.drop()
                return redirect
            }
            if found.status != 404 { return await failed(found) }
        }
        if name.hasByteSuffix("/") { return await listing(folder) }
        guard let items = await entries(folder, limit: 1), !items.isEmpty else {
            return await failed(SwiftResponse(404))
        }
        return redirect
    }

    private func page(_ name: String) -> SwiftRequest {
        var page = request
        page.path.object = name
        return page
    }

    private var redirect: SwiftResponse {
        let place = request.origin + request.mount + SwiftText.quoted(request.pathText)
        return SwiftResponse(301, headers: ["location": place + "/"])
    }

    /// The site's own page for the status, where it has one.
    func failed(_ response: SwiftResponse) async -> SwiftResponse {
        guard let error = site.error else { return response }
        var get = page("\(response.status)\(error)")
        get.method = .get
        for name in ["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] {
            get.headers[name] = nil
        }
        var shown = await next(get)
        guard shown.isSuccess else { return response }
        shown.status = response.status
        shown.isConditional = false
        return shown
    }

    private func entries(_ prefix: String, limit: Int?) async -> [SwiftListing.Item]? {
        var step = request.step(.get, request.path.ofContainer)
        step.query = [("delimiter", "/"), ("format", "json")]
        if !prefix.isEmpty { step.set("prefix", prefix) }
        if let limit { step.set("limit", String(limit)) }
        let response = await next(step)
        guard response.isSuccess, case .listing(let listing) = response.body else { return nil }
        return listing.items
    }

    private func listing(_ prefix: String) async -> SwiftResponse {
        let label =
            site.label.map { label in
                let rest = request.pathText.split(byte: "/", omittingEmptySubsequences: false).dropFirst(4)
                return label + "/" + rest.joined(separator: "/")
            } ?? request.pathText
        let page = WebPage(site: site, label: label, prefix: prefix, query: signedQuery)
        guard site.showsListings else { return await failed(.text(404, page.disabled)) }
        guard let items = await entries(prefix, limit: nil) else { return await failed(SwiftResponse(401)) }
        if items.isEmpty, !prefix.isEmpty { return await failed(SwiftResponse(404)) }
        var response = SwiftResponse.text(200, page.listing(items, isTop: prefix.utf8.count <= signedPrefix.utf8.count))
        response.headers["x-backend-content-generator"] = "staticweb"
        return response
    }

    private var signedPrefix: String { request.parameter("temp_url_prefix") ?? "" }

    /// Links of a page that was reached by a temporary URL are such URLs, too.
    private var signedQuery: String {
        guard case .keyHolder = request.caller, request.parameter("temp_url_prefix") != nil else { return "" }
        let names = ["temp_url_prefix", "temp_url_expires", "temp_url_sig", "temp_url_ip_range"]
        var parts = names.compactMap { name in
            request.parameter(name).map { "\(name)=\(SwiftText.quoted($0))" }
        }
        if request.parameter("inline") != nil { parts.append("inline") }
        return "?" + parts.joined(separator: "&amp;")
    }
}
