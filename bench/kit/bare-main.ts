/** The measure for the full lane: a node:http server that answers from one Map, with the fields of a small response. */
import { createServer } from 'node:http';

const [, , port = '0', path = '/', bytes = '1024'] = process.argv;
const stored = new Map([
  [
    path,
    {
      body: Buffer.alloc(Number(bytes), 'abcdefghijklmnopqrstuvwxyz'),
      fields: { 'Content-Type': 'application/octet-stream', 'Cache-Control': 'max-age=3600', ETag: '"v1"', Age: '1' },
    },
  ],
]);

createServer((req, res) => {
  const found = stored.get(req.url ?? '');
  if (found === undefined) {
    res.writeHead(404).end();
    return;
  }
  res.writeHead(200, { ...found.fields, 'Content-Length': found.body.length });
  res.end(found.body);
}).listen(Number(port), '127.0.0.1', 4096);
