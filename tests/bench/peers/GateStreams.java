import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.regex.Pattern;

import com.google.i18n.phonenumbers.NumberParseException;
import com.google.i18n.phonenumbers.PhoneNumberUtil;
import com.google.i18n.phonenumbers.Phonenumber.PhoneNumber;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.util.Utf8;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/**
 * The gate's job in Kafka Streams, exactly-once v2: decode, check, relevance, decide, write.
 *
 * <p>The law itself is not evaluated here: a table made by the gate says, for each combination of facts that occurs,
 * which bytes follow the item's own. It stands for a memo that is already full, as the gate's is after a moment.
 *
 * <p>Arguments: bootstrap, source topic, prefix of the output topics, table, threads, state folder.
 */
public final class GateStreams {
    private GateStreams() {}

    public static void main(String[] args) throws Exception {
        Table table = Table.read(Path.of(args[3]));
        String prefix = args[2];
        Topology topology = new Topology();
        topology.addSource("source", new ByteArrayDeserializer(), new ByteArrayDeserializer(), args[1]);
        topology.addProcessor("gate", () -> new Gate(table, prefix), "source");
        Serializer<Output> outputs = (topic, output) -> output.value();
        topology.addSink(
                "sink", (key, output, context) -> output.topic(), new ByteArraySerializer(), outputs, "gate");

        KafkaStreams streams = new KafkaStreams(topology, properties(args[0], prefix + "gate", args[4], args[5]));
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) {
                Runtime.getRuntime().halt(1);
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties properties(String bootstrap, String application, String threads, String folder) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        properties.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, "10000");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), "10000");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), "10");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), "4194304");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), "5");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), "1000000");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), "134217728");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.RETRY_BACKOFF_MS_CONFIG), "2");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.RETRY_BACKOFF_MAX_MS_CONFIG), "20");
        return properties;
    }

    /** One record to write. */
    record Output(String topic, byte[] value) {}

    /** What one State gets of items that are alike. */
    record Delivery(
            boolean offer, String topic, String state, byte[] tail, byte[] contentTail, Set<String> redacted) {}

    /** What is written for items that are alike; without a draft when nothing leaves. */
    record Verdict(byte[] decisionTail, List<Delivery> deliveries, byte[] draftTail) {}

    /** What the gate has exported. */
    record Table(
            Schema indicator,
            Map<String, byte[]> frames,
            byte[] namespace,
            String state,
            Set<String> countries,
            Map<String, Pattern> shapes,
            byte[] sealAndSignature,
            byte[] seal,
            byte[] signature,
            Map<String, Verdict> verdicts) {

        static Table read(Path path) throws IOException {
            try (DataInputStream in =
                    new DataInputStream(new java.io.BufferedInputStream(Files.newInputStream(path)))) {
                Schema indicator = new Schema.Parser().parse(new String(bytes(in), StandardCharsets.UTF_8));
                Map<String, byte[]> frames = new HashMap<>();
                for (String name : List.of("indicator", "decision", "notice", "notice_content", "offer", "draft")) {
                    frames.put(name, bytes(in));
                }
                byte[] namespace = bytes(in);
                String state = in.readUTF();
                Set<String> countries = Set.copyOf(texts(in));
                Map<String, Pattern> shapes = new HashMap<>();
                for (int left = in.readInt(); left > 0; left--) {
                    shapes.put(in.readUTF(), Pattern.compile(in.readUTF()));
                }
                byte[] seal = bytes(in);
                byte[] signature = bytes(in);
                byte[] both = Arrays.copyOf(seal, seal.length + signature.length);
                System.arraycopy(signature, 0, both, seal.length, signature.length);
                Map<String, Verdict> verdicts = new HashMap<>();
                for (int left = in.readInt(); left > 0; left--) {
                    verdicts.put(in.readUTF(), verdict(in));
                }
                return new Table(
                        indicator, frames, namespace, state, countries, shapes, both, seal, signature, verdicts);
            }
        }

        private static Verdict verdict(DataInputStream in) throws IOException {
            byte[] decisionTail = bytes(in);
            List<Delivery> deliveries = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                boolean offer = in.readBoolean();
                String topic = in.readUTF();
                String state = in.readUTF();
                byte[] tail = bytes(in);
                deliveries.add(new Delivery(offer, topic, state, tail, bytes(in), Set.copyOf(texts(in))));
            }
            byte[] draftTail = bytes(in);
            return new Verdict(decisionTail, deliveries, draftTail.length == 0 ? null : draftTail);
        }

        private static byte[] bytes(DataInputStream in) throws IOException {
            return in.readNBytes(in.readInt());
        }

        private static List<String> texts(DataInputStream in) throws IOException {
            List<String> texts = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                texts.add(in.readUTF());
            }
            return texts;
        }
    }

    /** What of an item its verdict depends on: the raw values, compared as they are. */
    static final class Key {
        private final Object[] parts;
        private final int hash;

        Key(Object[] parts) {
            this.parts = parts;
            this.hash = Arrays.hashCode(parts);
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Key that && Arrays.equals(parts, that.parts);
        }
    }

    /** One task's gate. */
    static final class Gate extends ContextualProcessor<byte[], byte[], byte[], Output> {
        private static final Pattern ID = Pattern.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}");
        private static final int MEMO_ENTRIES_MAX = 20_000;

        private final Table table;
        private final Fields fields;
        private final Writer writer;
        private final String decisions;
        private final String drafts;
        private final GenericDatumReader<GenericRecord> reader;
        private final byte[] frame;
        private final Map<Key, Verdict> memo = new HashMap<>();
        private final PhoneNumberUtil phones = PhoneNumberUtil.getInstance();
        private final String prefix;
        private BinaryDecoder decoder;

        Gate(Table table, String prefix) {
            this.table = table;
            this.prefix = prefix;
            this.fields = new Fields(table.indicator());
            this.writer = new Writer(table, fields);
            String own = prefix + "national." + table.state().toLowerCase() + ".";
            this.decisions = own + "decisions";
            this.drafts = own + "drafts";
            GenericData data = new GenericData();
            data.setFastReaderEnabled(true);
            this.reader = new GenericDatumReader<>(table.indicator(), table.indicator(), data);
            this.frame = table.frames().get("indicator");
        }

        @Override
        public void init(ProcessorContext<byte[], Output> context) {
            super.init(context);
        }

        @Override
        public void process(Record<byte[], byte[]> message) {
            byte[] value = message.value();
            GenericRecord item = decode(value);
            String type = check(message.key(), item);
            long now = System.currentTimeMillis();
            Verdict verdict = decide(item, type, now);
            try {
                forward(message, decisions, writer.decision(item, verdict, now));
                if (verdict.draftTail() == null) {
                    return;
                }
                Map<Set<String>, byte[]> contents = new HashMap<>(4);
                for (Delivery delivery : verdict.deliveries()) {
                    byte[] output = delivery.offer()
                            ? writer.offer(item, delivery, now)
                            : writer.notice(item, delivery, contents, now);
                    forward(message, prefix + delivery.topic(), output);
                }
                forward(message, drafts, writer.draft(item, value, verdict, now));
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        }

        private void forward(Record<byte[], byte[]> message, String topic, byte[] value) {
            context().forward(message.withValue(new Output(topic, value)));
        }

        private GenericRecord decode(byte[] value) {
            if (!Arrays.equals(value, 0, frame.length, frame, 0, frame.length)) {
                throw new IllegalStateException("not a frame of the current schema");
            }
            try {
                decoder = DecoderFactory.get().binaryDecoder(value, frame.length, value.length - frame.length, decoder);
                GenericRecord item = reader.read(null, decoder);
                if (!decoder.isEnd()) {
                    throw new IllegalStateException("bytes are left over");
                }
                return item;
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        }

        /** Checks what the gate does of ids, State, type and value; returns the type. */
        private String check(byte[] key, GenericRecord item) {
            Utf8 id = (Utf8) item.get(fields.id);
            if (!ID.matcher(id.toString()).matches()
                    || !Arrays.equals(key, 0, key.length, id.getBytes(), 0, id.getByteLength())) {
                throw new IllegalStateException("id");
            }
            if (!((GenericRecord) item.get(fields.source)).get(fields.sourceState).toString().equals(table.state())) {
                throw new IllegalStateException("source.state");
            }
            String type = item.get(fields.type).toString();
            Pattern shape = table.shapes().get(type);
            if (shape == null || !shape.matcher(item.get(fields.value).toString()).matches()) {
                throw new IllegalStateException("type or value");
            }
            if ((Integer) item.get(fields.version) != 1 || !item.get(fields.action).toString().equals("PUBLISH")) {
                throw new IllegalStateException("only first publications are in this workload");
            }
            return type;
        }

        private Verdict decide(GenericRecord item, String type, long now) {
            Key key = new Key(fields.facts(item, nexus(type, item.get(fields.value).toString()), now));
            Verdict verdict = memo.get(key);
            if (verdict == null) {
                verdict = table.verdicts().get(fields.text(key.parts));
                if (verdict == null) {
                    throw new IllegalStateException("a combination of facts that the table does not have");
                }
                if (memo.size() >= MEMO_ENTRIES_MAX) {
                    memo.clear();
                }
                memo.put(key, verdict);
            }
            return verdict;
        }

        /** Returns the State that a value points to, and what points there; "" for none. */
        private String nexus(String type, String value) {
            return switch (type) {
                case "phone-number" -> fromPhone(value);
                case "domain-name" -> fromHost(value);
                case "email-addr" -> fromHost(value.substring(value.lastIndexOf('@') + 1));
                case "url" -> fromHost(hostOf(value));
                default -> ""; // of hashes; and no geolocation database is configured
            };
        }

        private String fromPhone(String value) {
            try {
                PhoneNumber number = phones.parse(value, null);
                String region = phones.getRegionCodeForNumber(number);
                if (region == null || region.equals("001")) {
                    region = phones.getRegionCodeForCountryCode(number.getCountryCode());
                }
                return table.countries().contains(region)
                        ? region + "|E.164 prefix +" + number.getCountryCode()
                        : "";
            } catch (NumberParseException failure) {
                return "";
            }
        }

        private String fromHost(String host) {
            String label = host.substring(host.lastIndexOf('.') + 1);
            if (label.length() != 2) {
                return "";
            }
            String state = label.equals("uk") ? "GB" : label.toUpperCase();
            return table.countries().contains(state) ? state + "|ccTLD ." + label : "";
        }

        private static String hostOf(String url) {
            int start = url.indexOf("://") + 3;
            int end = start;
            while (end < url.length() && "/?#".indexOf(url.charAt(end)) < 0) {
                end++;
            }
            String authority = url.substring(start, end);
            String host = authority.substring(authority.lastIndexOf('@') + 1);
            int port = host.indexOf(':');
            return port < 0 ? host : host.substring(0, port);
        }
    }

    /** Positions of fields, and the facts among them. */
    static final class Fields {
        final int id;
        final int version;
        final int action;
        final int type;
        final int value;
        final int source;
        final int sourceState;
        final int officer;
        final int reviewAt;
        final int retainUntil;
        private final Schema schema;
        private final int[] direct;
        private final int authority;
        private final int offence;
        private final int codes;
        private final int modusOperandi;
        private final int origin;
        private final int originState;
        private final int originConsent;
        private final int findings;
        private final int nexus;

        Fields(Schema schema) {
            this.schema = schema;
            id = at("id");
            version = at("version");
            action = at("action");
            type = at("type");
            value = at("value");
            source = at("source");
            reviewAt = at("review_at");
            retainUntil = at("retain_until");
            offence = at("offence");
            origin = at("origin");
            findings = at("findings");
            nexus = at("nexus");
            direct = new int[DIRECT.length];
            for (int place = 0; place < DIRECT.length; place++) {
                direct[place] = at(DIRECT[place]);
            }
            Schema sources = schema.getField("source").schema();
            sourceState = sources.getField("state").pos();
            officer = sources.getField("officer").pos();
            authority = sources.getField("authority").pos();
            Schema offences = schema.getField("offence").schema();
            codes = offences.getField("codes").pos();
            modusOperandi = offences.getField("modus_operandi").pos();
            Schema origins = schema.getField("origin").schema();
            originState = origins.getField("state").pos();
            originConsent = origins.getField("consent").pos();
        }

        static final String[] DIRECT = {
            "action", "type", "form", "collection", "secrecy_domain", "personal_data", "special_category", "purpose",
            "urgency", "enables_request", "live_case_harm", "tlp", "handling", "character",
        };

        private int at(String name) {
            return schema.getField(name).pos();
        }

        Object[] facts(GenericRecord item, String derived, long now) {
            Object[] parts = new Object[DIRECT.length + 9];
            int place = 0;
            for (int position : direct) {
                parts[place++] = item.get(position);
            }
            parts[place++] = ((GenericRecord) item.get(source)).get(authority);
            GenericRecord offences = (GenericRecord) item.get(offence);
            parts[place++] = offences.get(codes);
            parts[place++] = offences.get(modusOperandi);
            GenericRecord origins = (GenericRecord) item.get(origin);
            parts[place++] = origins.get(originState);
            parts[place++] = origins.get(originConsent);
            Long until = (Long) item.get(retainUntil);
            parts[place++] = until != null && until <= now ? "YES" : "NO";
            parts[place++] = ((Map<?, ?>) item.get(findings)).isEmpty() ? "" : "findings"; // which the table lacks
            parts[place++] = item.get(nexus);
            parts[place] = derived;
            return parts;
        }

        /** Returns the facts as the table writes them. */
        String text(Object[] parts) {
            StringBuilder text = new StringBuilder();
            for (Object part : parts) {
                if (part instanceof List<?> list) {
                    for (Object entry : list) {
                        if (entry instanceof GenericRecord pair) {
                            text.append(pair.get(0)).append('|').append(pair.get(1));
                        } else {
                            text.append(entry);
                        }
                        text.append(',');
                    }
                } else {
                    text.append(part);
                }
                text.append('\n');
            }
            return text.toString();
        }
    }

    /** Writes an item's own bytes before those that it shares with others. */
    static final class Writer {
        private final Table table;
        private final Fields fields;
        private final ByteArrayOutputStream out = new ByteArrayOutputStream(4096);
        private final MessageDigest sha1;
        private BinaryEncoder encoder;

        Writer(Table table, Fields fields) {
            this.table = table;
            this.fields = fields;
            try {
                this.sha1 = MessageDigest.getInstance("SHA-1");
            } catch (NoSuchAlgorithmException failure) {
                throw new IllegalStateException(failure);
            }
        }

        byte[] decision(GenericRecord item, Verdict verdict, long now) throws IOException {
            begin("decision");
            encoder.writeString((Utf8) item.get(fields.id));
            encoder.writeInt((Integer) item.get(fields.version));
            encoder.writeLong(now);
            encoder.writeFixed(verdict.decisionTail());
            return end();
        }

        byte[] notice(GenericRecord item, Delivery delivery, Map<Set<String>, byte[]> contents, long now)
                throws IOException {
            byte[] head = contents.get(delivery.redacted());
            if (head == null) {
                head = content(item, delivery.redacted());
                contents.put(delivery.redacted(), head);
            }
            begin("notice");
            Utf8 id = (Utf8) item.get(fields.id);
            encoder.writeString(identity("notice", id, (Integer) item.get(fields.version), delivery.state()));
            encoder.writeString(id);
            encoder.writeInt((Integer) item.get(fields.version));
            encoder.writeLong(now);
            optionalLong(item.get(fields.reviewAt));
            optionalLong(item.get(fields.retainUntil));
            encoder.writeLong(head.length + delivery.contentTail().length);
            encoder.writeFixed(head);
            encoder.writeFixed(delivery.contentTail());
            encoder.writeFixed(table.sealAndSignature());
            encoder.writeFixed(delivery.tail());
            return end();
        }

        byte[] offer(GenericRecord item, Delivery delivery, long now) throws IOException {
            begin("offer");
            Utf8 id = (Utf8) item.get(fields.id);
            encoder.writeString(identity("offer", id, (Integer) item.get(fields.version), delivery.state()));
            encoder.writeString(id);
            encoder.writeInt((Integer) item.get(fields.version));
            encoder.writeLong(now);
            optionalLong(null);
            encoder.writeFixed(table.signature());
            encoder.writeFixed(delivery.tail());
            return end();
        }

        byte[] draft(GenericRecord item, byte[] value, Verdict verdict, long now) throws IOException {
            begin("draft");
            encoder.writeString((Utf8) item.get(fields.id));
            encoder.writeInt((Integer) item.get(fields.version));
            encoder.writeLong(now);
            optionalText(((GenericRecord) item.get(fields.source)).get(fields.officer));
            encoder.writeBytes(value);
            encoder.writeFixed(table.seal());
            encoder.writeFixed(verdict.draftTail());
            return end();
        }

        /** The fields that may leave, in the order of the schema; what the law takes out is empty. */
        private byte[] content(GenericRecord item, Set<String> redacted) throws IOException {
            GenericRecord source = (GenericRecord) item.get("source");
            GenericRecord offence = (GenericRecord) item.get("offence");
            GenericRecord grading = (GenericRecord) item.get("grading");
            begin("notice_content");
            text("type", item.get("type"), redacted);
            text("value", item.get("value"), redacted);
            text("summary", item.get("summary"), redacted);
            text("source_agency", source.get("agency"), redacted);
            text("source_authority", source.get("authority"), redacted);
            text("source_case", source.get("case"), redacted);
            list("offence_codes", offence.get("codes"), redacted);
            list("offence_modifiers", offence.get("modifiers"), redacted);
            list("modus_operandi", offence.get("modus_operandi"), redacted);
            Double years = redacted.contains("max_penalty_years") ? null : (Double) offence.get("max_penalty_years");
            encoder.writeIndex(years == null ? 0 : 1);
            if (years != null) {
                encoder.writeDouble(years);
            }
            text("collection", item.get("collection"), redacted);
            text("subject_class", item.get("subject_class"), redacted);
            text("assertion", item.get("assertion"), redacted);
            text("grading_source", grading.get("source"), redacted);
            Integer grade = redacted.contains("grading_information") ? null : (Integer) grading.get("information");
            encoder.writeIndex(grade == null ? 0 : 1);
            if (grade != null) {
                encoder.writeInt(grade);
            }
            text("grading_admiralty", grading.get("admiralty"), redacted);
            text("origin_state", ((GenericRecord) item.get("origin")).get("state"), redacted);
            list("handling", item.get("handling"), redacted);
            text("handling_text", item.get("handling_text"), redacted);
            text("tlp", item.get("tlp"), redacted);
            text("pap", item.get("pap"), redacted);
            text("purpose", item.get("purpose"), redacted);
            text("personal_data", item.get("personal_data"), redacted);
            text("special_category", item.get("special_category"), redacted);
            optionalLong(redacted.contains("observed_at") ? null : item.get("observed_at"));
            return end();
        }

        private void text(String name, Object value, Set<String> redacted) throws IOException {
            optionalText(redacted.contains(name) ? null : value);
        }

        private void optionalText(Object value) throws IOException {
            encoder.writeIndex(value == null ? 0 : 1);
            if (value instanceof Utf8 text) {
                encoder.writeString(text);
            } else if (value != null) {
                encoder.writeString(value.toString());
            }
        }

        private void list(String name, Object value, Set<String> redacted) throws IOException {
            List<?> entries = redacted.contains(name) ? List.of() : (List<?>) value;
            encoder.writeArrayStart();
            encoder.setItemCount(entries.size());
            for (Object entry : entries) {
                encoder.startItem();
                encoder.writeString(entry.toString());
            }
            encoder.writeArrayEnd();
        }

        private void optionalLong(Object value) throws IOException {
            encoder.writeIndex(value == null ? 0 : 1);
            if (value != null) {
                encoder.writeLong((Long) value);
            }
        }

        /** UUIDv5 of cause and recipient, as the gate makes it. */
        private String identity(String kind, Utf8 id, int version, String recipient) {
            String name = kind + "/" + table.state() + "/" + id + "/" + version + "/" + recipient;
            sha1.update(table.namespace());
            ByteBuffer digest = ByteBuffer.wrap(sha1.digest(name.getBytes(StandardCharsets.US_ASCII)));
            long high = digest.getLong() & ~0xF000L | 0x5000L;
            long low = digest.getLong() & ~(3L << 62) | 2L << 62;
            return new java.util.UUID(high, low).toString();
        }

        private void begin(String name) throws IOException {
            out.reset();
            encoder = EncoderFactory.get().binaryEncoder(out, encoder);
            encoder.writeFixed(table.frames().get(name));
        }

        private byte[] end() throws IOException {
            encoder.flush();
            return out.toByteArray();
        }
    }
}
