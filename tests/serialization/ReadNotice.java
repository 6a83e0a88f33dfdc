import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.UUID;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads one notice from a topic with the Java clients of Apache Kafka and Apache Avro, without any code of this project. */
public class ReadNotice {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0], registry = arguments[1], topic = arguments[2];
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", UUID.randomUUID().toString());
        properties.put("auto.offset.reset", "earliest");
        properties.put("isolation.level", "read_committed");
        long deadline = System.currentTimeMillis() + 30_000;
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (System.currentTimeMillis() < deadline) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (record.value()[0] == 0) {
                        System.out.println(decode(registry, record.value()));
                        return;
                    }
                }
            }
        }
        throw new IllegalStateException("no notice was received");
    }

    private static GenericRecord decode(String registry, byte[] value) throws Exception {
        int id = ByteBuffer.wrap(value, 1, 4).getInt();
        HttpURLConnection connection =
            (HttpURLConnection) URI.create(registry + "/schemas/ids/" + id).toURL().openConnection();
        try (InputStream body = connection.getInputStream()) {
            Schema schema = new Schema.Parser().parse(new ObjectMapper().readTree(body).get("schema").asText());
            return new GenericDatumReader<GenericRecord>(schema)
                .read(null, DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null));
        }
    }
}
