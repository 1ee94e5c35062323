// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import LogKit
import ObjectStorageContract
import ObjectStorageCore

/// The S3 API: buckets are containers of the account of the access key's project, keys are objects, and everything
/// passes through the layers of the object storage API, so that both worlds see one store.
package struct S3Handler: HTTPHandler {
    private let pipeline: SwiftNext
    private let identity: any IdentityService
    private let rules: AccessRules
    private let config: S3Config
    private let origin: String
    private let ids: IDSource
    private let clock: WallClock
    private let writes = S3ConditionalWrites()
    private let log = Logger("s3")

    /// `layers` are those of the object storage API behind the one that looks at tokens.
    package init(
        layers: [any SwiftLayer], identity: any IdentityService, rules: AccessRules = AccessRules(),
        config: S3Config = S3Config(), origin: String, ids: IDSource, clock: WallClock
    ) {
        pipeline = SwiftNext(layers)
        self.identity = identity
        self.rules = rules
        self.config = config
        self.origin = origin
        self.ids = ids
        self.clock = clock
    }

    /// Whether a request is for this handler: it is signed, or names a bucket in the host.
    package func takes(_ request: HTTPRequest) -> Bool {
        if S3Authorization.isPresent(in: request) { return true }
        let place = try? S3Place(request, domains: config.storageDomains)  // What is malformed is nobody's.
        guard let place else { return false }
        return place.isInHost || S3FormUpload.isPresent(in: request, place)
    }

    package func handle(_ http: HTTPRequest) async -> HTTPResponse {
        let start = ContinuousClock.now
        let requestID = transactionID()
        var response = await answer(http, requestID)
        response.headers = S3Reply.lowered(response.headers)
        response.headers.set("x-amz-request-id", requestID)
        response.headers.set("x-amz-id-2", requestID)
        response.headers.set("X-Trans-Id", requestID)
        let elapsed = start.duration(to: .now)
        HTTPMetrics.record(service: "s3", method: http.method, status: response.status, elapsed)
        log.debug(
            "request",
            [
                "method": http.method.rawValue, "path": http.path.prefix(512), "status": response.status,
                "microseconds": elapsed.microseconds, "request": requestID,
            ])
        return response
    }

    private func answer(_ http: HTTPRequest, _ requestID: String) async -> HTTPResponse {
        do {
            let place = try S3Place(http, domains: config.storageDomains)
            if http.method == .options { return try await preflight(http, place, requestID) }
            if S3FormUpload.isPresent(in: http, place) { return try await form(http, place, requestID) }
            let call = try await call(http, place, requestID)
            var response: SwiftResponse
            do {
                response = try await S3Operations.answer(call)
            } catch {
                return await finish(S3Reply.refusal(error, call.body, requestID, http, log), call)
            }
            if let fault = call.body.fault {
                await response.drop()
                response = S3Reply.error(fault, requestID, http)
            }
            return await finish(response, call)
        } catch {
            return S3Reply.plain(S3Reply.refusal(error, nil, requestID, http, log), http)
        }
    }

    private func finish(_ response: SwiftResponse, _ call: S3Call) async -> HTTPResponse {
        var response = response
        await S3CORSAnswer.apply(to: &response, call)
        return await S3Reply.finish(response, call)
    }

    // MARK: Who asks

    private func call(_ http: HTTPRequest, _ place: S3Place, _ requestID: String) async throws -> S3Call {
        guard let authorization = try S3Authorization(http) else { throw S3Error(.accessDenied) }
        try authorization.checkTime(clock.now())
        let known = try await holder(of: authorization.accessKey)
        let signature = S3Signature(http, authorization, hostBucket: place.isInHost ? place.bucket : nil)
        let signer = try signature.check(secret: known.secret)
        return try call(
            http, place, requestID, known.principal, try S3Body(http, authorization: authorization, signer: signer))
    }

    private func holder(of accessKey: String) async throws -> EC2Secret {
        guard let known = try await identity.ec2Secret(accessKey: accessKey) else {
            throw S3Error(
                .invalidAccessKeyId, nil, [("AWSAccessKeyId", String(accessKey.unicodeScalars.prefix(128)))])
        }
        return known
    }

    private func call(
        _ http: HTTPRequest, _ place: S3Place, _ requestID: String, _ principal: Principal, _ body: S3Body
    ) throws(S3Error) -> S3Call {
        guard let project = principal.projectID else { throw S3Error(.accessDenied) }
        let account = rules.account(of: project)
        guard isPermitted(http, place, account, principal) else { throw S3Error(.accessDenied) }
        return S3Call(
            http: http, place: place, account: account, caller: principal, requestID: requestID, origin: origin,
            body: body, config: config, clock: clock, ids: ids, writes: writes, pipeline: pipeline)
    }

    // MARK: Forms

    /// A page's form: who signed its policy uploads the file that follows it.
    private func form(_ http: HTTPRequest, _ place: S3Place, _ requestID: String) async throws -> HTTPResponse {
        let form = try await S3FormUpload(http, place)
        let known = try await holder(of: form.signature.accessKey)
        try form.check(secret: known.secret, now: clock.now())
        let put = try form.put(http)
        var call = try call(put.request, put.place, requestID, known.principal, put.body)
        call.askedMethod = http.method
        do {
            return await finish(try await form.store(call), call)
        } catch {
            return await finish(S3Reply.refusal(error, put.body, requestID, http, log), call)
        }
    }

    /// A key that is bound to access rules calls nothing else: they name objects by either world's path.
    private func isPermitted(_ http: HTTPRequest, _ place: S3Place, _ account: String, _ principal: Principal) -> Bool {
        guard let rules = principal.accessRules else { return true }
        let names = [place.bucket, place.key].compactMap { $0 }
            .flatMap { $0.split(byte: "/").map(String.init) }
        let paths = [names, ["v1", account] + names]
        return rules.contains { $0.permits(service: "object-store", method: http.method.rawValue, paths: paths) }
    }

    // MARK: Preflight

    /// A browser asks before it sends what a script wants to send. It signs nothing then: an address that is signed
    /// says whose bucket it is, for any other the cloud's own setting counts.
    private func preflight(_ http: HTTPRequest, _ place: S3Place, _ requestID: String) async throws -> HTTPResponse {
        guard let pageOrigin = http.headers["Origin"], let method = http.headers["Access-Control-Request-Method"] else {
            throw S3Error(.invalidRequest, "Insufficient information. Origin request header needed.")
        }
        let headers = (http.headers["Access-Control-Request-Headers"] ?? "").split(byte: ",").map(\.trimmed)
        if let rule = try await corsOfBucket(http, place, requestID)?
            .rule(origin: pageOrigin, method: method, headers: headers)
        {
            return S3CORSAnswer.preflight(rule, origin: pageOrigin, headers: headers)
        }
        guard config.preflightOrigins.contains(where: { $0 == "*" || $0.isByteEqual(to: pageOrigin) }) else {
            throw S3Error(
                .accessDenied,
                "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, "
                    + "request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by "
                    + "the resource's CORS spec.")
        }
        let rule = S3CORS.Rule(
            origins: [pageOrigin], methods: ["GET", "HEAD", "PUT", "POST", "DELETE"], headers: headers)
        return S3CORSAnswer.preflight(rule, origin: pageOrigin, headers: headers)
    }

    private func corsOfBucket(_ http: HTTPRequest, _ place: S3Place, _ requestID: String) async throws -> S3CORS? {
        let accessKey =
            http.queryValue("AWSAccessKeyId")
            ?? http.queryValue("X-Amz-Credential")?.split(byte: "/").first.map(String.init)
        guard let bucket = place.bucket, let accessKey,
            let project = try await identity.ec2Secret(accessKey: accessKey)?.principal.projectID
        else { return nil }
        var request = SwiftRequest(
            method: .head, path: ObjectPath(account: rules.account(of: project), container: bucket))
        // Who may ask is what the configuration itself says.
        request.caller = .system
        request.transactionID = requestID
        let response = await pipeline(request)
        return response.isSuccess ? S3CORS(kept: response.headers[S3Header.bucketCORS]) : nil
    }

    private func transactionID() -> String {
        let seconds = String(clock.now().seconds, radix: 16)
        return "tx" + ids.hex().prefix(21) + "-" + String(repeating: "0", count: max(0, 10 - seconds.utf8.count))
            + seconds
    }
}

/// Where the store keeps what only this API knows.
enum S3Header {
    static let bucketCORS = "x-container-sysmeta-s3api-cors"
    static let bucketTags = "x-container-sysmeta-s3api-tagging"
    /// Goes with the object's metadata, which a new set of tags leaves as it is.
    static let objectTags = "x-object-transient-sysmeta-s3api-tagging"
    /// Of a large object that came in parts: MD5 of the parts' MD5s, a dash, their number.
    static let etag = "x-object-sysmeta-s3api-etag"
    static let uploadID = "x-object-sysmeta-s3api-upload-id"
    static let hasType = "x-object-sysmeta-s3api-has-content-type"
    static let type = "x-object-sysmeta-s3api-content-type"
    /// The checksum that the object came with, as `S3Checksum` writes it.
    static let checksum = "x-object-sysmeta-s3api-checksum"
    static let publicAccess = "x-container-sysmeta-s3api-public-access"
    static let ownership = "x-container-sysmeta-s3api-ownership"
    static let versionsEnabled = "x-container-sysmeta-versions-enabled"
}
