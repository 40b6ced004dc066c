// Runs one method of a client, as the first argument says, and prints its result as JSON.
import dns from "node:dns";
import { createRequire } from "node:module";

export const require = createRequire(process.env.CLIENT_MODULES);

// Names below localhost are loopback (RFC 6761); not every system's resolver knows it.
export function lookup(name, options, done) {
  return dns.lookup(name.endsWith(".localhost") ? "localhost" : name, options, done);
}

export async function bytesOf(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function run(makeClient) {
  const task = JSON.parse(process.argv[2]);
  try {
    const result = await makeClient(task.endpoint)[task.method](...task.arguments);
    process.stdout.write(JSON.stringify({ result: result ?? null }));
  } catch (error) {
    process.stderr.write(`${error.code ?? error.name}: ${error.message}`);
    process.exitCode = 1;
  }
}
