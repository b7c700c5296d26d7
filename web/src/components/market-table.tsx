import { memo } from 'react';
import type { MarketRow } from '@trademind/core';
import { counted } from '../view/format.ts';
import { marketViews } from '../view/markets.ts';
import { Panel } from './panel.tsx';

/** Every symbol that is screened: price, change over 24 hours, and which traders hold on it now. */
export const MarketTable = memo(function MarketTable({ markets }: { markets: ReadonlyMap<string, MarketRow> }) {
  const rows = marketViews(markets);
  return (
    <Panel title="Markets" area="markets" note={rows.length === 0 ? undefined : counted(rows.length, 'symbol')}>
      {rows.length === 0
        ? <p className="empty">Prices come with the first candles.</p>
        : (
          <div className="scroll" role="region" aria-label="Markets" tabIndex={0}>
            <table>
              <thead><tr><th scope="col">Symbol</th><th scope="col" className="right">Price</th><th scope="col" className="right">24 h</th><th scope="col">Matches now</th></tr></thead>
              <tbody>
                {rows.map((row) => (
                  <tr key={row.symbol} className={row.matches.length > 0 ? 'matching' : undefined}>
                    <th scope="row">{row.symbol} {row.halted && <span className="tag" title="The exchange gives no more candles of this symbol">halted</span>}</th>
                    <td className="number right">{row.price}</td>
                    <td className={`number right ${row.direction}`}>{row.change ?? <span className="muted" title="Less than 24 hours of candles are there">–</span>}</td>
                    <td>{row.matches.length > 0 ? <span className="matches">{row.matches.join(', ')}</span> : <span className="muted">none</span>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
    </Panel>
  );
});
