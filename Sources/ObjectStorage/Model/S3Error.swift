// SPDX-License-Identifier: Apache-2.0

/// A refusal in S3's words: a code that clients switch over, a sentence, and what it is about.
package struct S3Error: Error, Sendable, Equatable {
    package var code: Code
    package var message: String
    /// Elements beside code and message: `BucketName`, `Key`, `ArgumentName`.
    package var details: [Detail]

    package struct Detail: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    package init(_ code: Code, _ message: String? = nil, _ details: [(String, String)] = []) {
        self.code = code
        self.message = message ?? code.sentence
        self.details = details.map { Detail(name: $0.0, value: $0.1) }
    }

    package static func noSuchBucket(_ bucket: String) -> S3Error {
        S3Error(.noSuchBucket, nil, [("BucketName", bucket)])
    }
    package static func noSuchKey(_ key: String) -> S3Error { S3Error(.noSuchKey, nil, [("Key", key)]) }
    package static func noSuchVersion(_ key: String, _ version: String) -> S3Error {
        S3Error(.noSuchVersion, nil, [("Key", key), ("VersionId", version)])
    }
    package static func invalidArgument(_ name: String, _ value: String, _ message: String? = nil) -> S3Error {
        S3Error(.invalidArgument, message, [("ArgumentName", name), ("ArgumentValue", value)])
    }
    package static func notImplemented(_ what: String) -> S3Error { S3Error(.notImplemented, what) }

    package enum Code: String, Sendable, CaseIterable {
        case accessControlListNotSupported = "AccessControlListNotSupported"
        case accessDenied = "AccessDenied"
        case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
        case authorizationQueryParametersError = "AuthorizationQueryParametersError"
        case badDigest = "BadDigest"
        case bucketAlreadyExists = "BucketAlreadyExists"
        case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
        case bucketNotEmpty = "BucketNotEmpty"
        case entityTooLarge = "EntityTooLarge"
        case entityTooSmall = "EntityTooSmall"
        case illegalVersioningConfiguration = "IllegalVersioningConfigurationException"
        case incompleteBody = "IncompleteBody"
        case internalError = "InternalError"
        case invalidAccessKeyId = "InvalidAccessKeyId"
        case invalidArgument = "InvalidArgument"
        case invalidBucketACLWithOwnership = "InvalidBucketAclWithObjectOwnership"
        case invalidBucketName = "InvalidBucketName"
        case invalidBucketState = "InvalidBucketState"
        case invalidChunkSize = "InvalidChunkSizeError"
        case invalidDigest = "InvalidDigest"
        case invalidLocationConstraint = "InvalidLocationConstraint"
        case invalidObjectState = "InvalidObjectState"
        case invalidPart = "InvalidPart"
        case invalidPartNumber = "InvalidPartNumber"
        case invalidPartOrder = "InvalidPartOrder"
        case invalidPolicyDocument = "InvalidPolicyDocument"
        case invalidRange = "InvalidRange"
        case invalidRequest = "InvalidRequest"
        case invalidStorageClass = "InvalidStorageClass"
        case invalidTag = "InvalidTag"
        case invalidURI = "InvalidURI"
        case keyTooLong = "KeyTooLongError"
        case malformedACL = "MalformedACLError"
        case malformedPOSTRequest = "MalformedPOSTRequest"
        case malformedTrailer = "MalformedTrailerError"
        case malformedXML = "MalformedXML"
        case maxPostPreDataLengthExceeded = "MaxPostPreDataLengthExceededError"
        case metadataTooLarge = "MetadataTooLarge"
        case methodNotAllowed = "MethodNotAllowed"
        case missingContentLength = "MissingContentLength"
        case noSuchBucket = "NoSuchBucket"
        case noSuchBucketPolicy = "NoSuchBucketPolicy"
        case noSuchConfiguration = "NoSuchConfiguration"
        case noSuchCORSConfiguration = "NoSuchCORSConfiguration"
        case noSuchKey = "NoSuchKey"
        case noSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration"
        case noSuchPublicAccessBlock = "NoSuchPublicAccessBlockConfiguration"
        case noSuchTagSet = "NoSuchTagSet"
        case noSuchUpload = "NoSuchUpload"
        case noSuchVersion = "NoSuchVersion"
        case noSuchWebsiteConfiguration = "NoSuchWebsiteConfiguration"
        case notImplemented = "NotImplemented"
        case objectLockConfigurationNotFound = "ObjectLockConfigurationNotFoundError"
        case ownershipControlsNotFound = "OwnershipControlsNotFoundError"
        case preconditionFailed = "PreconditionFailed"
        case replicationConfigurationNotFound = "ReplicationConfigurationNotFoundError"
        case requestTimeTooSkewed = "RequestTimeTooSkewed"
        case serverSideEncryptionNotFound = "ServerSideEncryptionConfigurationNotFoundError"
        case serviceUnavailable = "ServiceUnavailable"
        case signatureDoesNotMatch = "SignatureDoesNotMatch"
        case slowDown = "SlowDown"
        case tooManyBuckets = "TooManyBuckets"
        case conditionalRequestConflict = "ConditionalRequestConflict"
        case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"

        package var status: Int {
            switch self {
            case .accessDenied, .invalidAccessKeyId, .invalidChunkSize, .invalidObjectState, .requestTimeTooSkewed,
                .signatureDoesNotMatch:
                403
            case .noSuchBucket, .noSuchBucketPolicy, .noSuchConfiguration, .noSuchCORSConfiguration, .noSuchKey,
                .noSuchLifecycleConfiguration, .noSuchPublicAccessBlock, .noSuchTagSet, .noSuchUpload, .noSuchVersion,
                .noSuchWebsiteConfiguration, .objectLockConfigurationNotFound, .ownershipControlsNotFound,
                .replicationConfigurationNotFound, .serverSideEncryptionNotFound:
                404
            case .methodNotAllowed: 405
            case .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty, .conditionalRequestConflict,
                .invalidBucketState:
                409
            case .missingContentLength: 411
            case .preconditionFailed: 412
            case .invalidRange, .invalidPartNumber: 416
            case .internalError: 500
            case .notImplemented: 501
            case .serviceUnavailable, .slowDown: 503
            default: 400
            }
        }

        var sentence: String {
            switch self {
            case .accessControlListNotSupported: "The bucket does not allow ACLs"
            case .accessDenied: "Access Denied."
            case .authorizationHeaderMalformed:
                "The authorization header is malformed; the authorization header requires three components: "
                    + "Credential, SignedHeaders, and Signature."
            case .authorizationQueryParametersError: "The authorization in the query is malformed."
            case .badDigest: "The Content-MD5 you specified did not match what we received."
            case .bucketAlreadyExists:
                "The requested bucket name is not available. The bucket namespace is shared by all users of the "
                    + "system. Please select a different name and try again."
            case .bucketAlreadyOwnedByYou:
                "Your previous request to create the named bucket succeeded and you already own it."
            case .bucketNotEmpty: "The bucket you tried to delete is not empty"
            case .entityTooLarge: "Your proposed upload exceeds the maximum allowed object size."
            case .entityTooSmall: "Your proposed upload is smaller than the minimum allowed object size."
            case .illegalVersioningConfiguration:
                "The Versioning configuration specified in the request is invalid."
            case .incompleteBody:
                "You did not provide the number of bytes specified by the Content-Length HTTP header"
            case .internalError: "We encountered an internal error. Please try again."
            case .invalidAccessKeyId: "The AWS Access Key Id you provided does not exist in our records."
            case .invalidArgument: "Invalid Argument."
            case .invalidBucketACLWithOwnership:
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
            case .invalidBucketName: "The specified bucket is not valid."
            case .invalidBucketState: "The request is not valid with the current state of the bucket."
            case .invalidChunkSize: "Only the last chunk is allowed to have a size less than 8192 bytes"
            case .invalidDigest: "The Content-MD5 you specified was invalid."
            case .invalidLocationConstraint: "The specified location constraint is not valid."
            case .invalidObjectState: "The operation is not valid for the object's storage class"
            case .invalidPart:
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
                    + "specified entity tag may not match the part's entity tag."
            case .invalidPartNumber: "The requested partnumber is not satisfiable"
            case .invalidPartOrder:
                "The list of parts was not in ascending order.Parts list must specified in order by part number."
            case .invalidPolicyDocument:
                "The content of the form does not meet the conditions specified in the policy document."
            case .invalidRange: "The requested range cannot be satisfied."
            case .invalidRequest: "Invalid Request."
            case .invalidStorageClass: "The storage class you specified is not valid."
            case .invalidTag: "The tag provided was not a valid tag."
            case .invalidURI: "Couldn't parse the specified URI."
            case .keyTooLong: "Your key is too long."
            case .malformedACL, .malformedXML:
                "The XML you provided was not well-formed or did not validate against our published schema"
            case .malformedPOSTRequest:
                "The body of your POST request is not well-formed multipart/form-data."
            case .malformedTrailer:
                "The request contained trailing data that was not well-formed or did not conform to our published "
                    + "schema."
            case .maxPostPreDataLengthExceeded:
                "Your POST request fields preceding the upload file were too large."
            case .metadataTooLarge: "Your metadata headers exceed the maximum allowed metadata size."
            case .methodNotAllowed: "The specified method is not allowed against this resource."
            case .missingContentLength: "You must provide the Content-Length HTTP header."
            case .noSuchBucket: "The specified bucket does not exist."
            case .noSuchBucketPolicy: "The bucket policy does not exist"
            case .noSuchConfiguration: "The specified configuration does not exist."
            case .noSuchCORSConfiguration: "The CORS configuration does not exist"
            case .noSuchKey: "The specified key does not exist."
            case .noSuchLifecycleConfiguration: "The lifecycle configuration does not exist"
            case .noSuchPublicAccessBlock: "The public access block configuration was not found"
            case .noSuchTagSet: "The TagSet does not exist"
            case .noSuchUpload:
                "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart "
                    + "upload might have been aborted or completed."
            case .noSuchVersion: "The specified version does not exist."
            case .noSuchWebsiteConfiguration: "The specified bucket does not have a website configuration"
            case .notImplemented: "Not implemented."
            case .objectLockConfigurationNotFound: "Object Lock configuration does not exist for this bucket"
            case .ownershipControlsNotFound: "The bucket ownership controls were not found"
            case .preconditionFailed: "At least one of the preconditions you specified did not hold."
            case .replicationConfigurationNotFound: "The replication configuration was not found"
            case .requestTimeTooSkewed:
                "The difference between the request time and the current time is too large."
            case .serverSideEncryptionNotFound: "The server side encryption configuration was not found"
            case .serviceUnavailable, .slowDown: "Please reduce your request rate."
            case .signatureDoesNotMatch:
                "The request signature we calculated does not match the signature you provided. Check your key and "
                    + "signing method."
            case .tooManyBuckets: "You have attempted to create more buckets than allowed."
            case .conditionalRequestConflict:
                "The conditional request cannot succeed due to a conflicting operation against this resource."
            case .contentSHA256Mismatch:
                "The provided 'x-amz-content-sha256' header does not match what was computed."
            }
        }
    }
}
