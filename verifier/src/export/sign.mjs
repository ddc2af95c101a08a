// Signs a file with the library of sigstore-js, at the services that the signing configuration
// beside this module names, and writes FILE.sigstore.json:
//
//   SIGSTORE_ID_TOKEN=TOKEN node sign.mjs FILE CLIENT_ID
//
// It runs in a folder with the npm package @sigstore/sign. On GitHub Actions and Buildkite the token
// is asked for.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const require = createRequire(resolve('package.json'));
const { CIContextProvider, bundleBuilderFromSigningConfig } = require('@sigstore/sign');
// The ones that @sigstore/sign itself uses.
const its = createRequire(require.resolve('@sigstore/sign'));
const { bundleToJSON } = its('@sigstore/bundle');
const { SigningConfig } = its('@sigstore/protobuf-specs');

const [file, clientId] = process.argv.slice(2);
const config = readFileSync(new URL('signing_config.v0.2.json', import.meta.url), 'utf8');
const builder = bundleBuilderFromSigningConfig({
  signingConfig: SigningConfig.fromJSON(JSON.parse(config)),
  identityProvider: new CIContextProvider(clientId),
  bundleType: 'messageSignature',
});
const bundle = await builder.create({ data: readFileSync(file) });
writeFileSync(`${file}.sigstore.json`, `${JSON.stringify(bundleToJSON(bundle))}\n`);
