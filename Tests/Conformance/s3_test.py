#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The S3 API as boto3 uses it: every operation that is built, and what refuses the others.

Needs boto3 and, in the environment:
  S3_ENDPOINT                                  http://127.0.0.1:8088
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY     an EC2 credential: openstack ec2 credentials create
Optional, to look at the same objects through the other API:
  OS_STORAGE_URL                               http://127.0.0.1:8088/v1/AUTH_<project id>
  OS_TOKEN
Optional: S3_HOST_STYLE=1 where names of hosts `bucket.<endpoint's host>` lead to the endpoint.
"""
import base64
import gzip
import hashlib
import io
import os
import socket
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zlib

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions

ENDPOINT = os.environ.get("S3_ENDPOINT", "http://127.0.0.1:8088")
REGION = os.environ.get("S3_REGION", "us-east-1")
MIB = 1 << 20


def client(**changes):
    settings = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
        "retries": {"max_attempts": 1},
    }
    settings.update(changes)
    return boto3.client(
        "s3", endpoint_url=ENDPOINT, region_name=REGION, config=botocore.config.Config(**settings))


def client_of(access, secret):
    """A client with a key of its own."""
    return boto3.client(
        "s3", endpoint_url=ENDPOINT, region_name=REGION, aws_access_key_id=access, aws_secret_access_key=secret,
        config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}))


def swift(method, path, headers=None, body=None):
    """The same store through the object storage API; None where the environment does not say how."""
    url, token = os.environ.get("OS_STORAGE_URL"), os.environ.get("OS_TOKEN")
    if not url or not token:
        return None
    request = urllib.request.Request(
        url + "/" + urllib.parse.quote(path), data=body, method=method,
        headers={"X-Auth-Token": token, **(headers or {})})
    return urllib.request.urlopen(request, timeout=60)


def fetch(url, method="GET", headers=None, body=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class Case(unittest.TestCase):
    def setUp(self):
        self.s3 = client()
        self.bucket = "test-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=self.bucket)
        self.addCleanup(self.clean, self.bucket)

    def clean(self, bucket):
        try:
            for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for entry in page.get("Versions", []) + page.get("DeleteMarkers", []):
                    self.s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
            self.s3.delete_bucket(Bucket=bucket)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise

    def put(self, key, body=b"x", **more):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def read(self, key, **more):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **more)["Body"].read()

    def refused(self, code, operation, *arguments, status=None, **named):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            operation(*arguments, **named)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code, answer)
        if status:
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        return answer


class Buckets(Case):
    def test_list(self):
        answer = self.s3.list_buckets()
        self.assertIn(self.bucket, [bucket["Name"] for bucket in answer["Buckets"]])
        self.assertTrue(answer["Owner"]["ID"])
        self.assertTrue(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-request-id"])
        found = self.s3.list_buckets(Prefix=self.bucket)["Buckets"]
        self.assertEqual([(bucket["Name"], bucket["BucketRegion"]) for bucket in found], [(self.bucket, REGION)])
        other = self.bucket + "-2"
        self.s3.create_bucket(Bucket=other)
        self.addCleanup(self.clean, other)
        names = []
        for page in self.s3.get_paginator("list_buckets").paginate(
                Prefix=self.bucket, PaginationConfig={"PageSize": 1}):
            self.assertLessEqual(len(page["Buckets"]), 1)
            names += [bucket["Name"] for bucket in page["Buckets"]]
        self.assertEqual(names, [self.bucket, other])

    def test_create(self):
        self.refused("BucketAlreadyOwnedByYou", self.s3.create_bucket, Bucket=self.bucket, status=409)
        for name in ("ab", "Upper-Case", "a..b", "192.168.1.1"):
            with self.assertRaises((botocore.exceptions.ClientError, botocore.exceptions.ParamValidationError)):
                self.s3.create_bucket(Bucket=name)
        self.refused(
            "InvalidLocationConstraint", self.s3.create_bucket, Bucket="test-" + uuid.uuid4().hex,
            CreateBucketConfiguration={"LocationConstraint": "mars-1"})

    def test_head(self):
        answer = self.s3.head_bucket(Bucket=self.bucket)
        self.assertEqual(answer["BucketRegion"], REGION)
        self.refused("404", self.s3.head_bucket, Bucket="none-" + self.bucket)

    def test_location(self):
        self.assertIn(self.s3.get_bucket_location(Bucket=self.bucket)["LocationConstraint"], (None, REGION))

    def test_delete(self):
        self.put("a")
        self.refused("BucketNotEmpty", self.s3.delete_bucket, Bucket=self.bucket, status=409)
        self.s3.delete_object(Bucket=self.bucket, Key="a")
        self.s3.delete_bucket(Bucket=self.bucket)
        self.refused("NoSuchBucket", self.s3.delete_bucket, Bucket=self.bucket, status=404)
        self.refused("NoSuchBucket", self.s3.list_objects, Bucket=self.bucket, status=404)

    def test_acl(self):
        for canned, grants in (("public-read", 2), ("authenticated-read", 2), ("private", 1)):
            self.s3.put_bucket_acl(Bucket=self.bucket, ACL=canned)
            self.assertEqual(len(self.s3.get_bucket_acl(Bucket=self.bucket)["Grants"]), grants, canned)
        self.refused("NotImplemented", self.s3.put_bucket_acl, Bucket=self.bucket, ACL="public-read-write")
        owner = self.s3.get_bucket_acl(Bucket=self.bucket)["Owner"]
        grants = [
            {"Grantee": {"Type": "CanonicalUser", "ID": owner["ID"]}, "Permission": "FULL_CONTROL"},
            {"Grantee": {"Type": "CanonicalUser", "ID": "a" * 32}, "Permission": "READ"},
        ]
        self.s3.put_bucket_acl(Bucket=self.bucket, AccessControlPolicy={"Owner": owner, "Grants": grants})
        found = self.s3.get_bucket_acl(Bucket=self.bucket)["Grants"]
        self.assertIn(("a" * 32, "READ"), [(grant["Grantee"].get("ID"), grant["Permission"]) for grant in found])
        self.s3.put_bucket_acl(Bucket=self.bucket, GrantRead='id="' + "b" * 32 + '"')
        answer = swift("HEAD", self.bucket)
        if answer:
            self.assertEqual(answer.headers["X-Container-Read"], "b" * 32 + ":*")

    def test_tagging(self):
        self.refused("NoSuchTagSet", self.s3.get_bucket_tagging, Bucket=self.bucket, status=404)
        tags = [{"Key": "a b", "Value": "1&2"}, {"Key": "ü", "Value": ""}]
        self.s3.put_bucket_tagging(Bucket=self.bucket, Tagging={"TagSet": tags})
        self.assertEqual(self.s3.get_bucket_tagging(Bucket=self.bucket)["TagSet"], tags)
        self.s3.delete_bucket_tagging(Bucket=self.bucket)
        self.refused("NoSuchTagSet", self.s3.get_bucket_tagging, Bucket=self.bucket)

    def test_cors(self):
        self.refused("NoSuchCORSConfiguration", self.s3.get_bucket_cors, Bucket=self.bucket, status=404)
        rule = {
            "AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"],
            "ExposeHeaders": ["x-amz-meta-k"], "MaxAgeSeconds": 60,
        }
        self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": [rule]})
        self.assertEqual(self.s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"], [rule])
        self.put("a")
        url = self.s3.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": "a"})
        origin = {"Origin": "https://page.example.com"}
        status, headers, _ = fetch(url, headers=origin)
        self.assertEqual((status, headers.get("Access-Control-Allow-Origin")), (200, origin["Origin"]))
        self.assertIn("x-amz-meta-k", headers["Access-Control-Expose-Headers"])
        self.assertNotIn("Access-Control-Allow-Origin", fetch(url, headers={"Origin": "https://evil"})[1])
        ask = {**origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-amz-meta-k"}
        status, headers, _ = fetch(url, "OPTIONS", ask)
        self.assertEqual((status, headers.get("Access-Control-Max-Age")), (200, "60"))
        self.assertEqual(fetch(url, "OPTIONS", {**ask, "Origin": "https://evil"})[0], 403)
        self.s3.delete_bucket_cors(Bucket=self.bucket)
        self.refused("NoSuchCORSConfiguration", self.s3.get_bucket_cors, Bucket=self.bucket)

    def test_not_built(self):
        for code, operation in (
            ("NoSuchBucketPolicy", self.s3.get_bucket_policy),
            ("NoSuchBucketPolicy", self.s3.get_bucket_policy_status),
            ("NoSuchLifecycleConfiguration", self.s3.get_bucket_lifecycle_configuration),
            ("ServerSideEncryptionConfigurationNotFoundError", self.s3.get_bucket_encryption),
            ("NoSuchWebsiteConfiguration", self.s3.get_bucket_website),
            ("ReplicationConfigurationNotFoundError", self.s3.get_bucket_replication),
            ("ObjectLockConfigurationNotFoundError", self.s3.get_object_lock_configuration),
            ("NoSuchPublicAccessBlockConfiguration", self.s3.get_public_access_block),
            ("OwnershipControlsNotFoundError", self.s3.get_bucket_ownership_controls),
        ):
            self.refused(code, operation, Bucket=self.bucket, status=404)
            self.refused("NoSuchBucket", operation, Bucket="none-" + self.bucket, status=404)
        self.refused("NotImplemented", self.s3.put_bucket_policy, Bucket=self.bucket, Policy="{}")
        self.refused(
            "NotImplemented", self.s3.put_bucket_website, Bucket=self.bucket,
            WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
        for operation in (
            self.s3.delete_bucket_policy, self.s3.delete_bucket_lifecycle, self.s3.delete_bucket_encryption,
            self.s3.delete_bucket_website, self.s3.delete_bucket_replication,
        ):
            operation(Bucket=self.bucket)

    def test_plain_settings(self):
        self.assertNotIn("LoggingEnabled", self.s3.get_bucket_logging(Bucket=self.bucket))
        self.s3.put_bucket_logging(Bucket=self.bucket, BucketLoggingStatus={})
        self.refused(
            "NotImplemented", self.s3.put_bucket_logging, Bucket=self.bucket,
            BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": self.bucket, "TargetPrefix": "log/"}})
        self.assertNotIn(
            "TopicConfigurations", self.s3.get_bucket_notification_configuration(Bucket=self.bucket))
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration={})
        self.assertNotIn("Status", self.s3.get_bucket_accelerate_configuration(Bucket=self.bucket))
        self.assertEqual(self.s3.get_bucket_request_payment(Bucket=self.bucket)["Payer"], "BucketOwner")
        self.s3.put_bucket_request_payment(
            Bucket=self.bucket, RequestPaymentConfiguration={"Payer": "BucketOwner"})
        self.refused(
            "NotImplemented", self.s3.put_bucket_request_payment, Bucket=self.bucket,
            RequestPaymentConfiguration={"Payer": "Requester"})
        for operation, name in (
            (self.s3.list_bucket_analytics_configurations, "AnalyticsConfigurationList"),
            (self.s3.list_bucket_inventory_configurations, "InventoryConfigurationList"),
            (self.s3.list_bucket_metrics_configurations, "MetricsConfigurationList"),
            (self.s3.list_bucket_intelligent_tiering_configurations, "IntelligentTieringConfigurationList"),
        ):
            answer = operation(Bucket=self.bucket)
            self.assertFalse(answer["IsTruncated"])
            self.assertNotIn(name, answer)
        self.refused(
            "NoSuchConfiguration", self.s3.get_bucket_metrics_configuration, Bucket=self.bucket, Id="x", status=404)

    def test_public_access(self):
        names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        block = dict.fromkeys(names, True)
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read")
        self.refused(
            "NotImplemented", self.s3.put_public_access_block, Bucket=self.bucket,
            PublicAccessBlockConfiguration=block)
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="private")
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=block)
        found = self.s3.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(found, block)
        self.refused("AccessDenied", self.s3.put_bucket_acl, Bucket=self.bucket, ACL="public-read", status=403)
        self.refused("AccessDenied", self.put, "k", ACL="public-read", status=403)
        self.put("k", ACL="private")
        self.s3.put_public_access_block(
            Bucket=self.bucket, PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
        found = self.s3.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(found, {**dict.fromkeys(names, False), "BlockPublicPolicy": True})
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read")
        self.s3.delete_public_access_block(Bucket=self.bucket)
        self.refused("NoSuchPublicAccessBlockConfiguration", self.s3.get_public_access_block, Bucket=self.bucket)

    def test_ownership(self):
        put = lambda word: self.s3.put_bucket_ownership_controls(
            Bucket=self.bucket, OwnershipControls={"Rules": [{"ObjectOwnership": word}]})
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read")
        self.refused("InvalidBucketAclWithObjectOwnership", put, "BucketOwnerEnforced")
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="private")
        put("BucketOwnerEnforced")
        rules = self.s3.get_bucket_ownership_controls(Bucket=self.bucket)["OwnershipControls"]["Rules"]
        self.assertEqual(rules, [{"ObjectOwnership": "BucketOwnerEnforced"}])
        self.refused(
            "AccessControlListNotSupported", self.s3.put_bucket_acl, Bucket=self.bucket, ACL="public-read")
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="private")
        self.refused("NotImplemented", put, "ObjectWriter")
        put("BucketOwnerPreferred")
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read")
        self.s3.delete_bucket_ownership_controls(Bucket=self.bucket)
        self.refused("OwnershipControlsNotFoundError", self.s3.get_bucket_ownership_controls, Bucket=self.bucket)

    def test_expected_owner(self):
        owner = self.s3.list_buckets()["Owner"]["ID"]
        self.s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=owner)
        self.refused(
            "AccessDenied", self.s3.list_objects_v2, Bucket=self.bucket, ExpectedBucketOwner="1" * 12, status=403)


class Listings(Case):
    KEYS = ["a", "b/1", "b/2", "b/c/3", "d e&f", "g\u00fc", "h+i", "z"]

    def setUp(self):
        super().setUp()
        for key in self.KEYS:
            self.put(key, key.encode())

    def pages(self, operation, **more):
        keys, prefixes = [], []
        for page in self.s3.get_paginator(operation).paginate(Bucket=self.bucket, **more):
            keys += [entry["Key"] for entry in page.get("Contents", [])]
            prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        return keys, prefixes

    def test_all(self):
        for operation in ("list_objects", "list_objects_v2"):
            for size in (1, 3, 1000):
                found, _ = self.pages(operation, PaginationConfig={"PageSize": size})
                self.assertEqual(found, self.KEYS, (operation, size))

    def test_folders(self):
        for operation in ("list_objects", "list_objects_v2"):
            for size in (1, 2, 1000):
                found = self.pages(operation, Delimiter="/", PaginationConfig={"PageSize": size})
                self.assertEqual(found, ([key for key in self.KEYS if "/" not in key], ["b/"]), (operation, size))
        self.assertEqual(self.pages("list_objects_v2", Delimiter="/", Prefix="b/"), (["b/1", "b/2"], ["b/c/"]))

    def test_markers(self):
        self.assertEqual(self.pages("list_objects_v2", StartAfter="g")[0], ["g\u00fc", "h+i", "z"])
        answer = self.s3.list_objects(Bucket=self.bucket, Marker="h+i")
        self.assertEqual([entry["Key"] for entry in answer["Contents"]], ["z"])
        self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket, MaxKeys=0)["KeyCount"], 0)

    def test_entries(self):
        entry = self.s3.list_objects_v2(Bucket=self.bucket, FetchOwner=True)["Contents"][0]
        self.assertEqual((entry["Size"], entry["StorageClass"]), (1, "STANDARD"))
        self.assertEqual(entry["ETag"], '"' + hashlib.md5(b"a").hexdigest() + '"')
        self.assertTrue(entry["Owner"]["ID"])
        self.assertNotIn("Owner", self.s3.list_objects_v2(Bucket=self.bucket)["Contents"][0])
        head = self.s3.head_object(Bucket=self.bucket, Key="a")
        self.assertEqual(head["LastModified"], entry["LastModified"])

    def test_refusals(self):
        self.refused("InvalidArgument", self.s3.list_objects_v2, Bucket=self.bucket, ContinuationToken="!")
        self.refused("InvalidArgument", self.s3.list_objects, Bucket=self.bucket, MaxKeys=-1)

    def test_other_api(self):
        answer = swift("GET", self.bucket)
        if answer is None:
            self.skipTest("OS_STORAGE_URL is not set")
        self.assertEqual(answer.read().decode().split("\n")[:-1], self.KEYS)


class Objects(Case):
    def test_round_trip(self):
        for size in (0, 1, 65536, 65537, 5 * MIB + 3):
            body = os.urandom(size)
            etag = '"' + hashlib.md5(body).hexdigest() + '"'
            self.assertEqual(self.put("k", body)["ETag"], etag)
            answer = self.s3.get_object(Bucket=self.bucket, Key="k")
            self.assertEqual((answer["ETag"], answer["ContentLength"]), (etag, size))
            self.assertEqual(answer["Body"].read(), body)

    def test_keys(self):
        for key in ("a b", "\u00fc/\u65e5", "a+b", "a%2Fb", "a//b", "/a", "a/", "?x=y", "~!@$&*()=:;,'\"<>", "\u0007", "x" * 1024):
            self.put(key, key.encode())
            self.assertEqual(self.read(key), key.encode(), repr(key))
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.refused("KeyTooLongError", self.put, "x" * 1025)

    def test_metadata(self):
        headers = {
            "ContentType": "text/x; charset=utf-8", "ContentEncoding": "gzip", "ContentDisposition": "attachment",
            "ContentLanguage": "ko", "CacheControl": "no-cache", "Metadata": {"color": "blue", "under_score": "1"},
        }
        self.put("k", gzip.compress(b"x"), **headers)
        answer = self.s3.head_object(Bucket=self.bucket, Key="k")
        for name, value in headers.items():
            self.assertEqual(answer[name], value)
        self.put("plain")
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="plain")["ContentType"], "binary/octet-stream")
        url = self.s3.generate_presigned_url("head_object", Params={"Bucket": self.bucket, "Key": "k"})
        names = [name for name in fetch(url, "HEAD")[1] if name.lower().startswith("x-amz-")]
        self.assertEqual(names, [name.lower() for name in names])
        self.assertIn("x-amz-meta-color", names)
        self.refused("MetadataTooLarge", self.put, "big", Metadata={"k": "x" * 5000})

    def test_response_headers(self):
        self.put("k")
        answer = self.s3.get_object(
            Bucket=self.bucket, Key="k", ResponseContentType="a/b", ResponseCacheControl="private")
        self.assertEqual((answer["ContentType"], answer["CacheControl"]), ("a/b", "private"))

    def test_ranges(self):
        self.put("k", b"0123456789")
        for text, expected in (("0-0", b"0"), ("5-", b"56789"), ("-3", b"789"), ("8-100", b"89")):
            answer = self.s3.get_object(Bucket=self.bucket, Key="k", Range="bytes=" + text)
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 206)
            self.assertEqual(answer["Body"].read(), expected)
        head = self.s3.head_object(Bucket=self.bucket, Key="k", Range="bytes=2-3")
        self.assertEqual((head["ContentLength"], head["ContentRange"]), (2, "bytes 2-3/10"))
        self.refused(
            "InvalidRange", self.s3.get_object, Bucket=self.bucket, Key="k", Range="bytes=10-", status=416)
        self.assertEqual(self.read("k", Range="lines=1"), b"0123456789")

    def test_conditions(self):
        etag = self.put("k")["ETag"]
        modified = self.s3.head_object(Bucket=self.bucket, Key="k")["LastModified"]
        self.assertEqual(self.read("k", IfMatch=etag, IfUnmodifiedSince=modified), b"x")
        self.refused("304", self.s3.get_object, Bucket=self.bucket, Key="k", IfNoneMatch=etag)
        self.refused("304", self.s3.get_object, Bucket=self.bucket, Key="k", IfModifiedSince=modified)
        self.refused(
            "PreconditionFailed", self.s3.get_object, Bucket=self.bucket, Key="k", IfMatch='"0"', status=412)

    def test_conditional_writes(self):
        self.refused("NoSuchKey", self.put, "k", IfMatch='"0"', status=404)
        etag = self.put("k", IfNoneMatch="*")["ETag"]
        self.refused("PreconditionFailed", self.put, "k", IfNoneMatch="*", status=412)
        self.refused("PreconditionFailed", self.put, "k", IfMatch='"0"', status=412)
        self.refused("NotImplemented", self.put, "k", IfNoneMatch=etag)
        new = self.put("k", b"new", IfMatch=etag)["ETag"]
        self.refused("PreconditionFailed", self.put, "k", IfMatch=etag, status=412)
        delete = lambda etag: self.s3.delete_object(Bucket=self.bucket, Key="k", IfMatch=etag)
        self.refused("PreconditionFailed", delete, etag, status=412)
        many = lambda etag: self.s3.delete_objects(
            Bucket=self.bucket, Delete={"Objects": [{"Key": "k", "ETag": etag}]})
        self.assertEqual(many(etag)["Errors"][0]["Code"], "PreconditionFailed")
        self.assertEqual(self.read("k"), b"new")
        self.assertEqual(many(new)["Deleted"][0]["Key"], "k")
        self.refused("NoSuchKey", delete, "*", status=404)
        self.put("k", IfNoneMatch="*")
        delete("*")

    def test_one_lock(self):
        """Of many who take a lock at once one gets it."""
        from concurrent.futures import ThreadPoolExecutor

        def take(number):
            try:
                self.s3.put_object(Bucket=self.bucket, Key="lock", Body=str(number).encode(), IfNoneMatch="*")
                return True
            except botocore.exceptions.ClientError as error:
                self.assertIn(
                    error.response["Error"]["Code"], ("PreconditionFailed", "ConditionalRequestConflict"))
                return False

        with ThreadPoolExecutor(12) as pool:
            self.assertEqual(sum(pool.map(take, range(24))), 1)

    def test_absent(self):
        self.refused("NoSuchKey", self.s3.get_object, Bucket=self.bucket, Key="none", status=404)
        self.refused("404", self.s3.head_object, Bucket=self.bucket, Key="none")
        self.refused("NoSuchBucket", self.s3.get_object, Bucket="none-" + self.bucket, Key="none", status=404)
        self.refused("NoSuchBucket", self.s3.put_object, Bucket="none-" + self.bucket, Key="none", Body=b"")
        self.s3.delete_object(Bucket=self.bucket, Key="none")

    def test_digests(self):
        right = base64.b64encode(hashlib.md5(b"x").digest()).decode()
        self.put("k", ContentMD5=right)
        self.refused("BadDigest", self.put, "k2", ContentMD5=base64.b64encode(bytes(16)).decode())
        self.refused("InvalidDigest", self.put, "k2", ContentMD5="x")
        checksums = {
            "ChecksumCRC32": zlib.crc32(b"x").to_bytes(4, "big"), "ChecksumSHA1": hashlib.sha1(b"x").digest(),
            "ChecksumSHA256": hashlib.sha256(b"x").digest(),
        }
        for name, value in checksums.items():
            self.put("k", **{name: base64.b64encode(value).decode()})
            self.refused("BadDigest", self.put, "k2", **{name: base64.b64encode(bytes(len(value))).decode()})
        self.refused("404", self.s3.head_object, Bucket=self.bucket, Key="k2")

    def test_checksums(self):
        crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
        sha = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
        # What boto3 sends of its own accord.
        self.assertEqual(self.put("k", b"hello")["ChecksumCRC32"], crc)
        head = self.s3.head_object(Bucket=self.bucket, Key="k", ChecksumMode="ENABLED")
        self.assertEqual((head["ChecksumCRC32"], head["ChecksumType"]), (crc, "FULL_OBJECT"))
        self.assertEqual(self.read("k", ChecksumMode="ENABLED"), b"hello")
        self.assertNotIn("ChecksumCRC32", self.s3.head_object(Bucket=self.bucket, Key="k"))
        part = self.s3.get_object(Bucket=self.bucket, Key="k", Range="bytes=0-1", ChecksumMode="ENABLED")
        self.assertNotIn("ChecksumCRC32", part)
        self.assertEqual(part["Body"].read(), b"he")
        # After the body, and in a header.
        answer = self.s3.put_object(Bucket=self.bucket, Key="s", Body=io.BytesIO(b"hello"), ChecksumAlgorithm="SHA256")
        self.assertEqual(answer["ChecksumSHA256"], sha)
        self.assertEqual(self.put("s", b"hello", ChecksumSHA256=sha)["ChecksumSHA256"], sha)
        # A copy has its source's, or the one that is asked for.
        copy = lambda **more: self.s3.copy_object(
            Bucket=self.bucket, Key="c", CopySource={"Bucket": self.bucket, "Key": "s"}, **more)["CopyObjectResult"]
        self.assertEqual(copy()["ChecksumSHA256"], sha)
        self.assertEqual(copy(ChecksumAlgorithm="CRC32")["ChecksumCRC32"], crc)
        head = self.s3.head_object(Bucket=self.bucket, Key="c", ChecksumMode="ENABLED")
        self.assertEqual(head["ChecksumCRC32"], crc)
        # Tags leave it, new bytes do not.
        self.s3.put_object_tagging(Bucket=self.bucket, Key="c", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        self.assertIn("ChecksumCRC32", self.s3.head_object(Bucket=self.bucket, Key="c", ChecksumMode="ENABLED"))

    def test_attributes(self):
        every = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
        etag = self.put("k", b"hello")["ETag"]
        found = self.s3.get_object_attributes(Bucket=self.bucket, Key="k", ObjectAttributes=every)
        self.assertEqual((found["ETag"], found["ObjectSize"]), (etag.strip('"'), 5))
        self.assertEqual(found["StorageClass"], "STANDARD")
        self.assertEqual(found["Checksum"]["ChecksumType"], "FULL_OBJECT")
        self.assertTrue(found["Checksum"]["ChecksumCRC32"])
        self.assertNotIn("ObjectParts", found)
        self.assertTrue(found["LastModified"])
        found = self.s3.get_object_attributes(Bucket=self.bucket, Key="k", ObjectAttributes=["ObjectSize"])
        self.assertNotIn("ETag", found)
        self.refused(
            "InvalidArgument", self.s3.get_object_attributes, Bucket=self.bucket, Key="k", ObjectAttributes=["Name"])
        self.refused(
            "NoSuchKey", self.s3.get_object_attributes, Bucket=self.bucket, Key="none", ObjectAttributes=every)

    def test_tagging(self):
        self.put("k", Tagging="a=1&b=2", Metadata={"m": "v"}, ContentType="t/x")
        get = lambda: self.s3.get_object_tagging(Bucket=self.bucket, Key="k")["TagSet"]
        self.assertEqual(get(), [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        tags = [{"Key": "c d", "Value": "\u00fc"}]
        self.s3.put_object_tagging(Bucket=self.bucket, Key="k", Tagging={"TagSet": tags})
        self.assertEqual(get(), tags)
        head = self.s3.head_object(Bucket=self.bucket, Key="k")
        self.assertEqual((head["Metadata"], head["ContentType"]), ({"m": "v"}, "t/x"))
        self.s3.delete_object_tagging(Bucket=self.bucket, Key="k")
        self.assertEqual(get(), [])
        many = [{"Key": str(index), "Value": ""} for index in range(11)]
        self.refused(
            "InvalidTag", self.s3.put_object_tagging, Bucket=self.bucket, Key="k", Tagging={"TagSet": many})
        self.refused("NoSuchKey", self.s3.get_object_tagging, Bucket=self.bucket, Key="none")

    def test_acl(self):
        self.put("k", ACL="private")
        self.assertEqual(len(self.s3.get_object_acl(Bucket=self.bucket, Key="k")["Grants"]), 1)
        self.s3.put_object_acl(Bucket=self.bucket, Key="k", ACL="bucket-owner-full-control")
        self.refused("NotImplemented", self.s3.put_object_acl, Bucket=self.bucket, Key="k", ACL="public-read")
        # Where the bucket is open, so are its objects.
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read")
        self.put("k", ACL="public-read")
        self.s3.put_object_acl(Bucket=self.bucket, Key="k", ACL="public-read")
        self.assertEqual(len(self.s3.get_object_acl(Bucket=self.bucket, Key="k")["Grants"]), 2)

    def test_delete_many(self):
        keys = [f"k{index}" for index in range(20)] + ["a&b<c", "\u00fc"]
        for key in keys:
            self.put(key)
        names = [{"Key": key} for key in keys + ["none"]]
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": names})
        self.assertEqual({entry["Key"] for entry in answer["Deleted"]}, set(keys + ["none"]))
        self.assertNotIn("Contents", self.s3.list_objects(Bucket=self.bucket))
        self.put("q")
        quiet = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": "q"}], "Quiet": True})
        self.assertNotIn("Deleted", quiet)

    def test_not_built(self):
        self.refused("NotImplemented", self.put, "k", ServerSideEncryption="AES256")
        self.refused("InvalidStorageClass", self.put, "k", StorageClass="GLACIER")
        self.refused("NotImplemented", self.put, "k", WebsiteRedirectLocation="/x")
        self.put("k")
        for operation in (self.s3.get_object_retention, self.s3.get_object_legal_hold):
            self.refused("InvalidRequest", operation, Bucket=self.bucket, Key="k", status=400)
        self.refused(
            "InvalidRequest", self.s3.put_object_legal_hold, Bucket=self.bucket, Key="k", LegalHold={"Status": "ON"})
        self.refused("NotImplemented", self.s3.get_object_torrent, Bucket=self.bucket, Key="k")
        self.refused(
            "InvalidObjectState", self.s3.restore_object, Bucket=self.bucket, Key="k", RestoreRequest={"Days": 1},
            status=403)

    def test_both_worlds(self):
        body = b"both worlds"
        put = self.put("k", body, Metadata={"color": "blue"})
        answer = swift("GET", f"{self.bucket}/k")
        if answer is None:
            self.skipTest("OS_STORAGE_URL is not set")
        self.assertEqual(answer.read(), body)
        self.assertEqual(answer.headers["X-Object-Meta-Color"], "blue")
        self.assertEqual(answer.headers["Etag"].strip('"'), put["ETag"].strip('"'))
        swift("PUT", f"{self.bucket}/copy", {"X-Copy-From": f"{self.bucket}/k"}, b"")
        self.assertEqual(self.read("copy", ChecksumMode="ENABLED"), body)
        swift("PUT", f"{self.bucket}/part", {"X-Copy-From": f"{self.bucket}/k", "Range": "bytes=0-3"}, b"")
        self.assertEqual(self.read("part", ChecksumMode="ENABLED"), body[:4])
        swift("PUT", f"{self.bucket}/from-swift", {"X-Object-Meta-Size": "small"}, b"other")
        found = self.s3.get_object(Bucket=self.bucket, Key="from-swift")
        self.assertEqual((found["Body"].read(), found["Metadata"]), (b"other", {"size": "small"}))


class Copies(Case):
    def test_copy(self):
        self.put("dir/a b\u00fc", b"hello", Metadata={"k": "v"}, ContentType="t/x", Tagging="t=1")
        answer = self.s3.copy_object(
            Bucket=self.bucket, Key="b", CopySource={"Bucket": self.bucket, "Key": "dir/a b\u00fc"})
        self.assertEqual(answer["CopyObjectResult"]["ETag"], '"' + hashlib.md5(b"hello").hexdigest() + '"')
        found = self.s3.get_object(Bucket=self.bucket, Key="b")
        self.assertEqual((found["Body"].read(), found["Metadata"], found["ContentType"]), (b"hello", {"k": "v"}, "t/x"))
        tags = self.s3.get_object_tagging(Bucket=self.bucket, Key="b")["TagSet"]
        self.assertEqual(tags, [{"Key": "t", "Value": "1"}])

    def test_replace(self):
        self.put("a", b"hello", Metadata={"k": "v"})
        source = {"Bucket": self.bucket, "Key": "a"}
        self.refused("InvalidRequest", self.s3.copy_object, Bucket=self.bucket, Key="a", CopySource=source)
        self.s3.copy_object(
            Bucket=self.bucket, Key="a", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "w"})
        found = self.s3.get_object(Bucket=self.bucket, Key="a")
        self.assertEqual((found["Body"].read(), found["Metadata"]), (b"hello", {"n": "w"}))

    def test_conditions(self):
        etag = self.put("a")["ETag"]
        copy = lambda **more: self.s3.copy_object(
            Bucket=self.bucket, Key="b", CopySource={"Bucket": self.bucket, "Key": "a"}, **more)
        copy(CopySourceIfMatch=etag)
        self.refused("PreconditionFailed", copy, CopySourceIfMatch='"0"', status=412)
        self.refused("PreconditionFailed", copy, CopySourceIfNoneMatch=etag, status=412)
        self.refused(
            "NoSuchKey", self.s3.copy_object, Bucket=self.bucket, Key="b",
            CopySource={"Bucket": self.bucket, "Key": "none"})

    def test_between_buckets(self):
        other = "test-" + uuid.uuid4().hex[:20]
        self.s3.create_bucket(Bucket=other)
        self.addCleanup(self.clean, other)
        self.put("a", b"hello")
        self.s3.copy_object(Bucket=other, Key="a", CopySource={"Bucket": self.bucket, "Key": "a"})
        self.assertEqual(self.s3.get_object(Bucket=other, Key="a")["Body"].read(), b"hello")


class Uploads(Case):
    def begin(self, key="big", **more):
        return self.s3.create_multipart_upload(Bucket=self.bucket, Key=key, **more)["UploadId"]

    def part(self, upload, number, body, key="big"):
        answer = self.s3.upload_part(Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def complete(self, upload, parts, key="big"):
        return self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})

    def test_whole(self):
        bodies = [os.urandom(5 * MIB), os.urandom(5 * MIB + 1), b"end"]
        upload = self.begin(Metadata={"k": "v"}, ContentType="t/x")
        parts = [self.part(upload, number, body) for number, body in zip((1, 2, 11), bodies)]
        listed = self.s3.list_parts(Bucket=self.bucket, Key="big", UploadId=upload)
        self.assertEqual([entry["PartNumber"] for entry in listed["Parts"]], [1, 2, 11])
        self.assertEqual([entry["Size"] for entry in listed["Parts"]], [len(body) for body in bodies])
        page = self.s3.list_parts(
            Bucket=self.bucket, Key="big", UploadId=upload, MaxParts=1, PartNumberMarker=1)
        self.assertEqual(([entry["PartNumber"] for entry in page["Parts"]], page["IsTruncated"]), ([2], True))
        digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
        etag = f'"{digest}-3"'
        self.assertEqual(self.complete(upload, parts)["ETag"], etag)
        self.assertEqual(self.complete(upload, parts)["ETag"], etag)
        found = self.s3.get_object(Bucket=self.bucket, Key="big")
        whole = b"".join(bodies)
        self.assertEqual((found["ETag"], found["Metadata"], found["ContentType"]), (etag, {"k": "v"}, "t/x"))
        self.assertEqual(found["Body"].read(), whole)
        edge = f"bytes={5 * MIB - 2}-{5 * MIB + 1}"
        self.assertEqual(self.read("big", Range=edge), whole[5 * MIB - 2:5 * MIB + 2])
        self.refused("304", self.s3.get_object, Bucket=self.bucket, Key="big", IfNoneMatch=etag)
        self.assertEqual(self.read("big", PartNumber=3), b"end")
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="big", PartNumber=1)["PartsCount"], 3)
        entry = self.s3.list_objects_v2(Bucket=self.bucket)["Contents"][0]
        self.assertEqual((entry["ETag"], entry["Size"]), (etag, len(whole)))
        self.assertNotIn(
            self.bucket + "+segments", [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]])
        answer = swift("GET", f"{self.bucket}/big")
        if answer:
            self.assertEqual(answer.read(), whole)
        self.s3.delete_object(Bucket=self.bucket, Key="big")
        self.s3.delete_bucket(Bucket=self.bucket)

    def test_refusals(self):
        upload = self.begin()
        small = [self.part(upload, 1, b"a"), self.part(upload, 2, b"b")]
        self.refused("EntityTooSmall", self.complete, upload, small)
        self.refused("InvalidPartOrder", self.complete, upload, small[::-1])
        wrong = [{"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}]
        self.refused("InvalidPart", self.complete, upload, wrong)
        self.refused("InvalidPart", self.complete, upload, [{**small[0], "PartNumber": 9}])
        self.refused("NoSuchUpload", self.complete, "none", small)
        self.refused("NoSuchUpload", self.part, "none", 1, b"x")
        for number in (0, 10001):
            self.refused("InvalidArgument", self.part, upload, number, b"x")
        self.complete(upload, small[:1])
        self.assertEqual(self.read("big"), b"a")

    def test_abort(self):
        upload = self.begin()
        self.part(upload, 1, b"a")
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key="big", UploadId=upload)
        self.refused("NoSuchUpload", self.s3.list_parts, Bucket=self.bucket, Key="big", UploadId=upload)
        self.refused(
            "NoSuchUpload", self.s3.abort_multipart_upload, Bucket=self.bucket, Key="big", UploadId=upload)
        self.refused("404", self.s3.head_object, Bucket=self.bucket, Key="big")

    def test_list(self):
        begun = {(key, self.begin(key)) for key in ("a", "dir/1", "dir/2", "b", "b", "7")}
        for key, upload in begun:
            self.part(upload, 1, b"x", key)
        found = set()
        for page in self.s3.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, PaginationConfig={"PageSize": 2}):
            found |= {(entry["Key"], entry["UploadId"]) for entry in page.get("Uploads", [])}
        self.assertEqual(found, begun)
        page = self.s3.list_multipart_uploads(Bucket=self.bucket, Delimiter="/")
        self.assertEqual([entry["Prefix"] for entry in page["CommonPrefixes"]], ["dir/"])
        page = self.s3.list_multipart_uploads(Bucket=self.bucket, Prefix="dir/")
        self.assertEqual([entry["Key"] for entry in page["Uploads"]], ["dir/1", "dir/2"])
        # A bucket goes with what was begun in it.
        self.s3.delete_bucket(Bucket=self.bucket)

    def test_copy(self):
        body = os.urandom(6 * MIB)
        self.put("source", body)
        upload = self.begin()
        parts = []
        for number, span in ((1, f"bytes=0-{5 * MIB - 1}"), (2, f"bytes={5 * MIB}-{6 * MIB - 1}")):
            answer = self.s3.upload_part_copy(
                Bucket=self.bucket, Key="big", UploadId=upload, PartNumber=number,
                CopySource={"Bucket": self.bucket, "Key": "source"}, CopySourceRange=span)
            parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
        self.refused(
            "InvalidArgument", self.s3.upload_part_copy, Bucket=self.bucket, Key="big", UploadId=upload, PartNumber=3,
            CopySource={"Bucket": self.bucket, "Key": "source"}, CopySourceRange=f"bytes=0-{6 * MIB}")
        self.complete(upload, parts)
        self.assertEqual(self.read("big"), body)
        self.s3.copy_object(
            Bucket=self.bucket, Key="copy", CopySource={"Bucket": self.bucket, "Key": "big"})
        self.assertEqual(
            self.s3.head_object(Bucket=self.bucket, Key="copy")["ETag"], '"' + hashlib.md5(body).hexdigest() + '"')

    def test_checksums(self):
        bodies = [os.urandom(5 * MIB), b"end"]
        whole = b"".join(bodies)
        for algorithm, digest in (
            ("CRC32", lambda data: zlib.crc32(data).to_bytes(4, "big")),
            ("SHA256", lambda data: hashlib.sha256(data).digest()),
        ):
            name = "Checksum" + algorithm
            values = [base64.b64encode(digest(body)).decode() for body in bodies]
            upload = self.begin(ChecksumAlgorithm=algorithm)
            parts = []
            for number, (body, value) in enumerate(zip(bodies, values), 1):
                answer = self.s3.upload_part(
                    Bucket=self.bucket, Key="big", UploadId=upload, PartNumber=number, Body=body,
                    ChecksumAlgorithm=algorithm)
                self.assertEqual(answer[name], value)
                parts.append({"PartNumber": number, "ETag": answer["ETag"], name: value})
            listed = self.s3.list_parts(Bucket=self.bucket, Key="big", UploadId=upload)
            self.assertEqual((listed["ChecksumAlgorithm"], listed["ChecksumType"]), (algorithm, "COMPOSITE"))
            self.assertEqual([part[name] for part in listed["Parts"]], values)
            self.refused("InvalidPart", self.complete, upload, [parts[0], {**parts[1], name: values[0]}])
            done = self.complete(upload, parts)
            joined = base64.b64encode(digest(b"".join(map(digest, bodies)))).decode() + "-2"
            self.assertEqual((done[name], done["ChecksumType"]), (joined, "COMPOSITE"))
            found = self.s3.get_object(Bucket=self.bucket, Key="big", ChecksumMode="ENABLED")
            self.assertEqual((found[name], found["Body"].read()), (joined, whole))
            attributes = self.s3.get_object_attributes(
                Bucket=self.bucket, Key="big", ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"])
            self.assertEqual(attributes["Checksum"][name], joined)
            self.assertEqual(attributes["ObjectSize"], len(whole))
            shown = attributes["ObjectParts"]
            self.assertEqual(shown["TotalPartsCount"], 2)
            self.assertEqual(
                [(part["PartNumber"], part["Size"], part[name]) for part in shown["Parts"]],
                [(number, len(body), value) for number, (body, value) in enumerate(zip(bodies, values), 1)])
            page = self.s3.get_object_attributes(
                Bucket=self.bucket, Key="big", ObjectAttributes=["ObjectParts"], MaxParts=1)["ObjectParts"]
            self.assertEqual((page["IsTruncated"], page["NextPartNumberMarker"]), (True, 1))
            page = self.s3.get_object_attributes(
                Bucket=self.bucket, Key="big", ObjectAttributes=["ObjectParts"], PartNumberMarker=1)["ObjectParts"]
            self.assertEqual([part["PartNumber"] for part in page["Parts"]], [2])

    def test_whole_checksum(self):
        bodies = [os.urandom(5 * MIB), os.urandom(1001)]
        crc = base64.b64encode(zlib.crc32(b"".join(bodies)).to_bytes(4, "big")).decode()
        upload = self.begin(ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
        parts = [self.part(upload, number, body) for number, body in enumerate(bodies, 1)]
        complete = lambda **more: self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}, **more)
        self.refused("BadDigest", complete, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT")
        self.refused("InvalidRequest", complete, MpuObjectSize=7)
        done = complete(ChecksumCRC32=crc, ChecksumType="FULL_OBJECT", MpuObjectSize=sum(map(len, bodies)))
        self.assertEqual((done["ChecksumCRC32"], done["ChecksumType"]), (crc, "FULL_OBJECT"))
        self.assertEqual(self.read("big", ChecksumMode="ENABLED"), b"".join(bodies))
        self.refused("InvalidRequest", self.begin, ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")
        self.refused("InvalidRequest", self.begin, ChecksumAlgorithm="CRC64NVME", ChecksumType="COMPOSITE")

    def test_copied_checksum(self):
        self.put("source", b"hello", ChecksumAlgorithm="SHA256")
        upload = self.begin(ChecksumAlgorithm="CRC32")
        answer = self.s3.upload_part_copy(
            Bucket=self.bucket, Key="big", UploadId=upload, PartNumber=1, CopySourceRange="bytes=1-3",
            CopySource={"Bucket": self.bucket, "Key": "source"})["CopyPartResult"]
        crc = base64.b64encode(zlib.crc32(b"ell").to_bytes(4, "big")).decode()
        self.assertEqual(answer["ChecksumCRC32"], crc)
        self.complete(upload, [{"PartNumber": 1, "ETag": answer["ETag"], "ChecksumCRC32": crc}])
        self.assertEqual(self.read("big"), b"ell")

    def test_conditional(self):
        etag = self.put("big", b"there")["ETag"]
        upload = self.begin()
        parts = [self.part(upload, 1, b"part")]
        complete = lambda **more: self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}, **more)
        self.refused("PreconditionFailed", complete, IfNoneMatch="*", status=412)
        self.refused("PreconditionFailed", complete, IfMatch='"0"', status=412)
        self.assertEqual(self.read("big"), b"there")
        complete(IfMatch=etag)
        self.assertEqual(self.read("big"), b"part")

    def test_transfer(self):
        body = os.urandom(20 * MIB)
        self.s3.upload_fileobj(io.BytesIO(body), self.bucket, "big")
        target = io.BytesIO()
        self.s3.download_fileobj(self.bucket, "big", target)
        self.assertEqual(target.getvalue(), body)


class Versions(Case):
    def setUp(self):
        super().setUp()
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket=self.bucket))
        self.put("k", b"before")
        self.turn("Enabled")

    def turn(self, status):
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=self.bucket)["Status"], status)

    def listed(self):
        page = self.s3.list_object_versions(Bucket=self.bucket)
        return page.get("Versions", []), page.get("DeleteMarkers", [])

    def test_versions(self):
        first = self.put("k", b"one")["VersionId"]
        second = self.put("k", b"two!")["VersionId"]
        self.assertNotEqual(first, second)
        self.assertEqual(self.read("k"), b"two!")
        self.assertEqual(self.read("k", VersionId=first), b"one")
        versions, markers = self.listed()
        self.assertEqual([entry["Size"] for entry in versions], [4, 3, 6])
        self.assertEqual([entry["IsLatest"] for entry in versions], [True, False, False])
        self.assertEqual(markers, [])
        self.assertEqual(len(self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]), 1)
        self.refused(
            "NoSuchVersion", self.s3.get_object, Bucket=self.bucket, Key="k", VersionId="1000000000.00000", status=404)

    def test_delete(self):
        first = self.put("k", b"one")["VersionId"]
        gone = self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.assertTrue(gone["DeleteMarker"])
        self.refused("NoSuchKey", self.s3.get_object, Bucket=self.bucket, Key="k", status=404)
        self.refused(
            "MethodNotAllowed", self.s3.get_object, Bucket=self.bucket, Key="k", VersionId=gone["VersionId"], status=405)
        self.refused("BucketNotEmpty", self.s3.delete_bucket, Bucket=self.bucket, status=409)
        back = self.s3.delete_object(Bucket=self.bucket, Key="k", VersionId=gone["VersionId"])
        self.assertTrue(back["DeleteMarker"])
        self.assertEqual(self.read("k"), b"one")
        self.s3.delete_object(Bucket=self.bucket, Key="k", VersionId=first)
        self.assertEqual(self.read("k"), b"before")

    def test_suspend(self):
        first = self.put("k", b"one")["VersionId"]
        self.turn("Suspended")
        self.put("k", b"null")
        self.assertEqual(self.read("k"), b"null")
        self.assertEqual(self.read("k", VersionId=first), b"one")

    def test_copy(self):
        first = self.put("k", b"one")["VersionId"]
        self.put("k", b"two")
        answer = self.s3.copy_object(
            Bucket=self.bucket, Key="c", CopySource={"Bucket": self.bucket, "Key": "k", "VersionId": first})
        self.assertEqual(answer["CopySourceVersionId"], first)
        self.assertEqual(self.read("c"), b"one")

    def test_upload(self):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        part = self.s3.upload_part(Bucket=self.bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"part")
        done = self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key="k", UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.put("k", b"after")
        self.assertEqual(self.read("k", VersionId=done["VersionId"]), b"part")
        entries = {entry["VersionId"]: entry["ETag"] for entry in self.listed()[0]}
        self.assertEqual(entries[done["VersionId"]], done["ETag"])
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.assertEqual(self.read("k", VersionId=done["VersionId"]), b"part")

    def test_pages(self):
        for index in range(3):
            self.put("a", str(index).encode())
            self.put("b", str(index).encode())
        found = []
        for page in self.s3.get_paginator("list_object_versions").paginate(
                Bucket=self.bucket, PaginationConfig={"PageSize": 2}):
            found += [(entry["Key"], entry["VersionId"]) for entry in page.get("Versions", [])]
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual([key for key, _ in found], ["a"] * 3 + ["b"] * 3 + ["k"])


class Signatures(Case):
    def test_presigned(self):
        for version in ("s3v4", "s3"):
            s3 = client(signature_version=version)
            params = {"Bucket": self.bucket, "Key": "a b\u00fc"}
            status, _, text = fetch(s3.generate_presigned_url("put_object", Params=params), "PUT", body=b"hello")
            # urllib names a type of its own, which version 2 signs.
            if version == "s3v4":
                self.assertEqual(status, 200, text)
            else:
                self.put("a b\u00fc", b"hello")
            url = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=60)
            self.assertEqual(fetch(url)[::2], (200, b"hello"), version)
            self.assertEqual(fetch(url.replace("hello", "x") + "x")[0], 403)
            self.assertEqual(fetch(url, "DELETE")[0], 403)
        status, _, text = fetch(self.s3.generate_presigned_url("get_object", Params=params, ExpiresIn=0) + "")
        self.assertIn(status, (200, 403))

    def test_version_2(self):
        s3 = client(signature_version="s3")
        s3.put_object(Bucket=self.bucket, Key="k", Body=b"two", Metadata={"k": "v"})
        self.assertEqual(s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"two")
        self.assertEqual(len(s3.list_objects(Bucket=self.bucket, Prefix="k")["Contents"]), 1)
        self.assertTrue(s3.get_bucket_acl(Bucket=self.bucket)["Grants"])

    def test_wrong(self):
        keys = boto3.Session().get_credentials()
        for access, secret, code in (
            (keys.access_key, "wrong", "SignatureDoesNotMatch"), ("nobody", keys.secret_key, "InvalidAccessKeyId"),
        ):
            s3 = boto3.client(
                "s3", endpoint_url=ENDPOINT, region_name=REGION, aws_access_key_id=access,
                aws_secret_access_key=secret, config=botocore.config.Config(s3={"addressing_style": "path"}))
            self.refused(code, s3.list_buckets, status=403)

    def signed(self, method, url, headers, digest, body):
        """A request with a payload digest of the caller's choosing, and what signed it."""
        request = botocore.awsrequest.AWSRequest(method=method, url=url, headers=headers)
        request.context["payload_signing_enabled"] = True

        class Auth(botocore.auth.S3SigV4Auth):
            def payload(self, request):
                return digest

        keys = boto3.Session().get_credentials()
        auth = Auth(botocore.credentials.Credentials(keys.access_key, keys.secret_key), "s3", REGION)
        request.headers["X-Amz-Content-SHA256"] = digest
        auth.add_auth(request)
        return auth, request

    def chunked(self, chunks, spoil=False, trailer=None):
        import hmac
        url = f"{ENDPOINT}/{self.bucket}/chunked"
        size = sum(map(len, chunks))
        digest = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
        headers = {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(size)}
        if trailer:
            headers["X-Amz-Trailer"] = trailer[0]
        auth, request = self.signed("PUT", url, headers, digest, b"")
        date, keys = request.context["timestamp"], auth.credentials
        scope = f"{date[:8]}/{REGION}/s3/aws4_request"
        key = ("AWS4" + keys.secret_key).encode()
        for word in scope.split("/"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        previous = request.headers["Authorization"].rsplit("Signature=", 1)[1]
        sign = lambda lines: hmac.new(key, "\n".join(lines).encode(), hashlib.sha256).hexdigest()
        empty, body = hashlib.sha256(b"").hexdigest(), b""
        for chunk in chunks + [b""]:
            previous = sign([
                "AWS4-HMAC-SHA256-PAYLOAD", date, scope, previous, empty, hashlib.sha256(chunk).hexdigest()])
            sent = bytes([chunk[0] ^ 1]) + chunk[1:] if spoil and chunk else chunk
            body += b"%x;chunk-signature=%s\r\n" % (len(chunk), previous.encode()) + sent + (b"\r\n" if chunk else b"")
        if trailer:
            line = f"{trailer[0]}:{trailer[1]}\n"
            previous = sign([
                "AWS4-HMAC-SHA256-TRAILER", date, scope, previous, hashlib.sha256(line.encode()).hexdigest()])
            body += line.encode()[:-1] + b"\r\nx-amz-trailer-signature:" + previous.encode() + b"\r\n"
        return fetch(url, "PUT", dict(request.headers), body + b"\r\n")

    def test_chunks(self):
        chunks = [os.urandom(65536), os.urandom(65536), os.urandom(1000)]
        body = b"".join(chunks)
        self.assertEqual(self.chunked(chunks)[0], 200)
        self.assertEqual(self.read("chunked"), body)
        self.assertNotIn("ContentEncoding", self.s3.head_object(Bucket=self.bucket, Key="chunked"))
        self.s3.delete_object(Bucket=self.bucket, Key="chunked")
        status, _, text = self.chunked(chunks, spoil=True)
        self.assertEqual(status, 403, text)
        crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        self.assertEqual(self.chunked(chunks, trailer=("x-amz-checksum-crc32", "AAAAAA=="))[0], 400)
        self.refused("404", self.s3.head_object, Bucket=self.bucket, Key="chunked")
        self.assertEqual(self.chunked(chunks, trailer=("x-amz-checksum-crc32", crc))[0], 200)
        self.assertEqual(self.read("chunked"), body)

    def test_unsigned_trailer(self):
        url, data = f"{ENDPOINT}/{self.bucket}/trailer", os.urandom(10_000)
        headers = {
            "Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(len(data)),
            "X-Amz-Trailer": "x-amz-checksum-crc32",
        }
        for value, status in ((zlib.crc32(data), 200), (0, 400)):
            crc = base64.b64encode(value.to_bytes(4, "big"))
            _, request = self.signed("PUT", url, headers, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", b"")
            body = b"%x\r\n" % len(data) + data + b"\r\n0\r\nx-amz-checksum-crc32:" + crc + b"\r\n\r\n"
            self.assertEqual(fetch(url, "PUT", dict(request.headers), body)[0], status)

    def test_host_style(self):
        if not os.environ.get("S3_HOST_STYLE"):
            self.skipTest("S3_HOST_STYLE is not set")
        s3 = client(s3={"addressing_style": "virtual"})
        s3.put_object(Bucket=self.bucket, Key="a/b", Body=b"host")
        self.assertEqual(self.read("a/b"), b"host")
        self.assertEqual(len(s3.list_objects_v2(Bucket=self.bucket)["Contents"]), 1)

    def test_vanishing_client(self):
        url = self.s3.generate_presigned_url("put_object", Params={"Bucket": self.bucket, "Key": "gone"})
        parts = urllib.parse.urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=10) as connection:
            connection.sendall(
                f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 1000000\r\n\r\n".encode()
                + b"x" * 1000)
        self.refused("404", self.s3.head_object, Bucket=self.bucket, Key="gone")


class Forms(Case):
    def send(self, s3=None, file=b"hello", filename="dir/photo.txt", key="up/${filename}", change=None, **more):
        """As a page's visitor: no key, but what the key's holder signed."""
        signed = (s3 or self.s3).generate_presigned_post(self.bucket, key, **more)
        fields = dict(signed["fields"])
        fields.update(change or {})
        boundary = uuid.uuid4().hex
        body = b""
        for name, value in fields.items():
            body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n').encode()
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
            "Content-Type: text/x\r\n\r\n").encode() + file + f"\r\n--{boundary}--\r\n".encode()
        return fetch(signed["url"], "POST", {"Content-Type": "multipart/form-data; boundary=" + boundary}, body)

    def test_upload(self):
        for version in ("s3v4", "s3"):
            s3 = client(signature_version=version)
            status, headers, text = self.send(s3)
            self.assertEqual(status, 204, text)
            self.assertEqual(headers["ETag"], '"' + hashlib.md5(b"hello").hexdigest() + '"')
            self.assertEqual(self.read("up/photo.txt"), b"hello")
            self.s3.delete_object(Bucket=self.bucket, Key="up/photo.txt")

    def test_fields(self):
        fields = {
            "Content-Type": "text/plain", "x-amz-meta-color": "blue", "success_action_status": "201", "acl": "private",
            "tagging": "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
        }
        conditions = [{name: value} for name, value in fields.items() if name != "Content-Type"]
        conditions.append(["starts-with", "$Content-Type", "text/"])
        status, _, text = self.send(key="k", Fields=fields, Conditions=conditions)
        self.assertEqual(status, 201, text)
        self.assertIn(b"<Key>k</Key>", text)
        head = self.s3.head_object(Bucket=self.bucket, Key="k")
        self.assertEqual((head["ContentType"], head["Metadata"]), ("text/plain", {"color": "blue"}))
        tags = self.s3.get_object_tagging(Bucket=self.bucket, Key="k")["TagSet"]
        self.assertEqual(tags, [{"Key": "k", "Value": "v"}])

    def test_policy(self):
        size = [["content-length-range", 3, 10]]
        big = os.urandom(100_000)
        for code, wanted, more in (
            (403, b"AccessDenied", {"change": {"key": "other"}}),
            (403, b"AccessDenied", {"change": {"x-amz-meta-extra": "1"}}),
            (403, b"AccessDenied", {"ExpiresIn": -1}),
            (403, b"SignatureDoesNotMatch", {"change": {"x-amz-signature": "0" * 64}}),
            (403, b"InvalidAccessKeyId", {"s3": client_of("nobody", "secret")}),
            (403, b"SignatureDoesNotMatch", {"change": {"policy": base64.b64encode(b"{}").decode()}}),
            (400, b"EntityTooLarge", {"Conditions": size, "file": big}),
            (400, b"EntityTooSmall", {"Conditions": size, "file": b"ab"}),
            (400, b"MaxPostPreDataLengthExceeded", {"change": {"x-amz-meta-big": "x" * 30_000}}),
        ):
            status, _, text = self.send(**more)
            self.assertEqual(status, code, (more.keys(), text))
            self.assertIn(b"<Code>" + wanted, text)
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=self.bucket))
        self.assertEqual(self.send(Conditions=size, file=b"0123456789")[0], 204)
        self.assertEqual(self.send(key="big", file=big)[0], 204)
        self.assertEqual(self.read("big"), big)

    def test_malformed(self):
        url = f"{ENDPOINT}/{self.bucket}"
        for type, body in (
            ("multipart/form-data", b""), ("multipart/form-data; boundary=x", b""),
            ("multipart/form-data; boundary=x", b"--x\r\n"), ("multipart/form-data; boundary=x", b"--x--\r\n"),
            ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x--'),
            ("multipart/form-data; boundary=x", b"\0" * 100_000),
        ):
            status, _, text = fetch(url, "POST", {"Content-Type": type}, body)
            self.assertEqual(status, 400, (type, body[:80], text))


class Documents(Case):
    def post(self, query, body):
        url = f"{ENDPOINT}/{self.bucket}?{query}"
        keys = boto3.Session().get_credentials()
        request = botocore.awsrequest.AWSRequest(method="POST", url=url, data=body)
        botocore.auth.S3SigV4Auth(
            botocore.credentials.Credentials(keys.access_key, keys.secret_key), "s3", REGION).add_auth(request)
        return fetch(url, "POST", dict(request.headers), body)

    def test_hostile(self):
        laughs = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9))
        for body in (
            b"", b"x", b"<Delete>", b"<Delete></Delete>", b"<Other/>", b"<a>" * 100_000,
            b'<!DOCTYPE x [<!ENTITY l0 "ha">' + laughs + b"]><Delete><Object><Key>&l9;</Key></Object></Delete>",
            b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&f;</Key></Object></Delete>',
            b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>", b"\xff\xfe<\0D\0",
        ):
            status, headers, text = self.post("delete=", body)
            self.assertEqual(status, 400, (body[:80], text))
            self.assertIn(b"<Code>MalformedXML</Code>", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
