import { useState } from 'react';
import type { MachineView } from '@trademind/core';
import { Notice } from './notice.tsx';

/** The machine when it does not run: why, and what to do next. */
export function MachineRest({ machine, start }: { machine: MachineView; start: () => Promise<void> }) {
  const [asked, setAsked] = useState(false);
  const { phase, lastError, desired } = machine;
  if (phase === 'failed') {
    return (
      <Notice tone="bad" title={lastError?.message ?? 'The machine cannot run.'}>
        {lastError?.nextStep} {lastError && <small className="code">{lastError.code}</small>}
      </Notice>
    );
  }
  if (phase === 'stopped' && desired.state === 'stopped') {
    return (
      <Notice tone="busy" title="Your machine is stopped" action={{ label: asked ? 'Asked for' : 'Start it', run: () => { setAsked(true); void start().finally(() => setAsked(false)); } }}>
        It screens nothing and only its disk is paid for.
      </Notice>
    );
  }
  if (phase === 'stopped' || phase === 'stopping') return <Notice tone="busy" title={phase === 'stopped' ? 'Your machine has stopped' : 'Your machine is stopping'}>{machine.detail ?? 'It finishes what it has begun.'}</Notice>;
  if (phase === 'destroying') return <Notice tone="warn" title="Your machine is being destroyed">{machine.detail}</Notice>;
  return null;
}
