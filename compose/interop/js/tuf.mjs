// Prints the trusted root that sigstore-js finds in a TUF repository:
//
//   node tuf.mjs LIBRARIES MIRROR ROOT CACHE
//
// LIBRARIES is the folder that holds node_modules, ROOT the first root of the repository.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [libraries, mirrorURL, rootPath, cachePath] = process.argv.slice(2);
const require = createRequire(join(resolve(libraries), 'package.json'));
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { getTrustedRoot } = require('@sigstore/tuf');

const root = await getTrustedRoot({ mirrorURL, rootPath, cachePath });
console.log(JSON.stringify(TrustedRoot.toJSON(root)));
