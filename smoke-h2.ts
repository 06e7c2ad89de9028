import { Endpoint } from '#shared/sip/endpoint.ts';
import { write } from '#shared/sip/write.ts';
import { randomBytes } from 'node:crypto';
const SDP='v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n';
const e=new Endpoint({random:{bytes:(n)=>new Uint8Array(randomBytes(n)),fraction:Math.random},hash:()=>''});
const flow={id:'udp0:127.0.0.1:6000',protocol:'udp',local:{host:'127.0.0.1',port:5060},remote:{host:'127.0.0.1',port:6000},peer:{kind:'none'}} as const;
const req=(method:string,call:string,seq:number,tag:string,body='')=>`${method} sip:bench@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK${call}-${seq}-${method};rport\r\nMax-Forwards: 70\r\nFrom: "Caller" <sip:caller@127.0.0.1:6000>;tag=f${call}\r\nTo: <sip:bench@127.0.0.1:5060>${tag}\r\nCall-ID: ${call}\r\nCSeq: ${seq} ${method}\r\nContact: <sip:caller@127.0.0.1:6000>\r\n${body?'Content-Type: application/sdp\r\n':''}Content-Length: ${body.length}\r\n\r\n${body}`;
let now=0;
function one(i:number){ const out:any[]=[]; const call=`c-${i}`;
 const flat=(t:string)=>Buffer.from(t,'latin1').latin1Slice();
 let tag='';
 const drain=()=>{ for(let j=0;j<out.length;j++){const o=out[j]; if(o.do==='send'){ const t=write(o.message); Buffer.from(t,'latin1'); if(t.startsWith('SIP/2.0 200')&&!tag){const a=t.indexOf('To: ');const l=t.slice(a,t.indexOf('\r\n',a));tag=l.slice(l.lastIndexOf(';tag='));} } else if(o.do==='incoming'){ e.progress(o.call,180,{},now,out); e.answer(o.call,{sdp:SDP,contact:'sip:bench@127.0.0.1'},now,out);} } out.length=0; };
 e.receive(flat(req('INVITE',call,1,'',SDP)),flow,now,out);drain();
 e.receive(flat(req('ACK',call,1,tag)),flow,now,out);drain();
 e.receive(flat(req('BYE',call,2,tag)),flow,now,out);drain();
 now+=1; if(e.due()<=now){e.tick(now,out);drain();}
}
const N=Number(process.argv[2]??60000);
for(let i=0;i<10000;i++)one(i);
const cu=process.cpuUsage(); for(let i=0;i<N;i++)one(10000+i); const d2=process.cpuUsage(cu);const d=(d2.user+d2.system)/1000;
globalThis.gc?.();console.log((d*1000/N).toFixed(1),'us per call',e.counts(),(process.memoryUsage().heapUsed/1e6).toFixed(0),'MB');
