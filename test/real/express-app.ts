/** A small application as people write them; it counts what it answers, and tells the run when asked. */
import express from 'express';
import serveStatic from 'serve-static';
import { type AppMessage, dynamicText, type Served } from './origin.js';

const [port, root = '', firstVersions = ''] = process.argv.slice(2);
const versions = firstVersions.split(',').map(Number);
let served: Served[] = [];

const app = express();

app.use((req, res, next) => {
  const before = req.socket.bytesWritten;
  res.once('finish', () => {
    const wireBytes = req.socket.bytesWritten - before;
    served.push({ method: req.method, target: req.originalUrl, status: res.statusCode, wireBytes });
  });
  next();
});

// Express gives it a weak ETag of the text, and answers If-None-Match with 304.
app.get('/dynamic/:id', (req, res) => {
  const id = Number(req.params.id);
  res.type('json').send(dynamicText(id, versions[id] ?? 0));
});

app.use(serveStatic(root));

process.on('message', (message: AppMessage) => {
  if (message.kind === 'take') {
    process.send?.(served);
    served = [];
  } else {
    versions[message.id] = (versions[message.id] ?? 0) + 1;
    process.send?.(true);
  }
});
process.once('disconnect', () => process.exit(0));

app.listen(Number(port), '127.0.0.1');
