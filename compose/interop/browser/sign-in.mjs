// Signs in as a person would, in Chromium:
//
//   node sign-in.mjs LIBRARIES CHROMIUM PLAN
//
// PLAN is JSON: what walk.mjs takes, and
//   url or url_file   where to begin; the file is waited for, as long as the process `pid` lives:
//                     a client's fake browser writes it
//   end               the kind of page to end on (walk.mjs)
//   text              what that page must say
//   accessible        true: axe-core finds nothing serious on any of our pages
// Prints the kinds of the pages seen; fails when the end is another.
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { inspect } from './inspect.mjs';
import { openBrowser, openPage, walk } from './walk.mjs';

const [libraries, chromium, planText] = process.argv.slice(2);
const plan = JSON.parse(planText);
const url = plan.url ?? (await waitFor(plan.url_file, plan.pid));
const { browser, axe } = await openBrowser(libraries, chromium);
try {
  const page = await openPage(browser);
  await page.goto(url);
  const look = plan.accessible ? (kind) => inspect(page, kind, axe) : undefined;
  const { kind, seen, text } = await walk(page, plan, look);
  console.log(seen.join(' > '));
  if (kind !== plan.end) {
    throw new Error(`ended on the page ${kind}, not ${plan.end}: ${text}`);
  }
  if (plan.text && !text.includes(plan.text)) {
    throw new Error(`the page ${kind} does not say ${plan.text}: ${text}`);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}

async function waitFor(file, pid) {
  for (let tenths = 0; tenths < 300; tenths += 1) {
    const ended = !lives(pid);
    if (existsSync(file)) return readFileSync(file, 'utf8').trim();
    if (ended) break;
    await sleep(100);
  }
  console.error('the client opened no browser');
  process.exit(1);
}

function lives(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
