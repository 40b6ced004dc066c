// The AWS SDK for JavaScript, version 3.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import { pipeline } from "node:stream/promises";
import { bytesOf, lookup, require, run } from "./call.mjs";

const s3 = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

run((endpoint) => {
  const client = new s3.S3Client({
    endpoint: endpoint.url,
    region: endpoint.region,
    forcePathStyle: !endpoint.virtual,
    credentials: { accessKeyId: endpoint.accessKey, secretAccessKey: endpoint.secretKey },
    maxAttempts: 1,
    requestHandler: {
      httpAgent: new http.Agent({ lookup }),
      httpsAgent: new https.Agent({ lookup }),
      requestTimeout: 30000,
    },
  });
  const send = (name, input) => client.send(new s3[`${name}Command`](input));
  return {
    version: () => require("@aws-sdk/client-s3/package.json").version,
    createBucket: async (Bucket) => void (await send("CreateBucket", { Bucket })),
    put: async (Bucket, Key, body, Metadata) => {
      const Body = Buffer.from(body, "base64");
      await send("PutObject", { Bucket, Key, Body, Metadata });
    },
    get: async (Bucket, Key) => {
      const answer = await send("GetObject", { Bucket, Key });
      return answer.Body.transformToString("base64");
    },
    metadata: async (Bucket, Key) => (await send("HeadObject", { Bucket, Key })).Metadata,
    upload: async (Bucket, Key, path) => {
      const params = { Bucket, Key, Body: fs.createReadStream(path) };
      await new Upload({ client, params, partSize: 8 * 2 ** 20 }).done();
    },
    download: async (Bucket, Key, path) => {
      const answer = await send("GetObject", { Bucket, Key });
      await pipeline(answer.Body, fs.createWriteStream(path));
    },
    readRange: async (Bucket, Key, first, last) => {
      const answer = await send("GetObject", { Bucket, Key, Range: `bytes=${first}-${last}` });
      return (await bytesOf(answer.Body)).toString("base64");
    },
    list: async (Bucket, Prefix) => {
      const answer = await send("ListObjectsV2", { Bucket, Prefix, Delimiter: "/" });
      return {
        keys: (answer.Contents ?? []).map((each) => each.Key),
        prefixes: (answer.CommonPrefixes ?? []).map((each) => each.Prefix),
      };
    },
    copy: async (Bucket, source, Key) => {
      const CopySource = encodeURIComponent(`${Bucket}/${source}`);
      await send("CopyObject", { Bucket, Key, CopySource });
    },
    presign: (Bucket, Key) =>
      getSignedUrl(client, new s3.GetObjectCommand({ Bucket, Key }), { expiresIn: 60 }),
    delete: async (Bucket, Key) => {
      const answer = await send("DeleteObjects", { Bucket, Delete: { Objects: [{ Key }] } });
      if (answer.Errors?.length) throw new Error(JSON.stringify(answer.Errors));
    },
    deleteBucket: async (Bucket) => void (await send("DeleteBucket", { Bucket })),
  };
});
