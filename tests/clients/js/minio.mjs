// minio-js.
import { bytesOf, require, run } from "./call.mjs";

const Minio = require("minio");

run((endpoint) => {
  const url = new URL(endpoint.url);
  const client = new Minio.Client({
    endPoint: url.hostname,
    port: Number(url.port),
    useSSL: url.protocol === "https:",
    accessKey: endpoint.accessKey,
    secretKey: endpoint.secretKey,
    region: endpoint.region,
    partSize: 8 * 2 ** 20,
  });
  return {
    version: () => require("minio/package.json").version,
    createBucket: (bucket) => client.makeBucket(bucket, endpoint.region),
    put: async (bucket, key, body, metadata) => {
      const bytes = Buffer.from(body, "base64");
      await client.putObject(bucket, key, bytes, bytes.length, metadata);
    },
    get: async (bucket, key) =>
      (await bytesOf(await client.getObject(bucket, key))).toString("base64"),
    metadata: async (bucket, key) => (await client.statObject(bucket, key)).metaData,
    upload: async (bucket, key, path) => void (await client.fPutObject(bucket, key, path, {})),
    download: (bucket, key, path) => client.fGetObject(bucket, key, path),
    readRange: async (bucket, key, first, last) => {
      const stream = await client.getPartialObject(bucket, key, first, last - first + 1);
      return (await bytesOf(stream)).toString("base64");
    },
    list: async (bucket, prefix) => {
      const keys = [];
      const prefixes = [];
      for await (const each of client.listObjectsV2(bucket, prefix, false)) {
        if (each.prefix !== undefined) prefixes.push(each.prefix);
        else keys.push(each.name);
      }
      return { keys, prefixes };
    },
    // The form with options sends a plus as it is, which S3 takes for a space.
    copy: async (bucket, source, target) => {
      await client.copyObject(bucket, target, `/${bucket}/${source}`, new Minio.CopyConditions());
    },
    presign: (bucket, key) => client.presignedGetObject(bucket, key, 60),
    delete: (bucket, key) => client.removeObject(bucket, key),
    deleteBucket: (bucket) => client.removeBucket(bucket),
  };
});
